"""Why a recording or a stretch of it will not do: the limits, and the words with value, limit and way out."""

import math
from collections.abc import Sequence

from engine.voice.failure import VoiceFailure
from engine.voice.measures import Measures, Sound
from engine.voice.rules import Rules
from engine.voice.scan import Scan
from engine.voice.speech import Span, speech_s, within

SLACK_S = 0.05  # codecs pad to whole frames: 30.0 s of MP3 may come out as 30.04 s
SILENT_DBFS = -60.0  # a room's own noise; nobody speaks that softly into a microphone
QUIET_DBFS = -50.0
NOISY_DB = 8.0
CLIPPED = 0.0025
MUSIC_S = 1.0
TONE_S = 1.0
_FEW_S = 10.0  # of speech: a dozen windows
_P10 = {False: 0.30, True: 0.25}  # see measures.likenesses; by whether the band is narrow
_P10_FEW = {False: 0.40, True: 0.34}
_PARTED, _PARTED_FEW = 0.70, 0.60
OVERLAP = 0.04  # see measures.overlap


def clock(seconds: float) -> str:
    """A place in a recording as people write it: 02:14, or 1:02:14."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60:02}:{rest % 60:02}"


def between(span: Span) -> str:
    """A stretch of a recording as people write it."""
    return f"{clock(span.start_s)}-{clock(span.end_s)}"


def too_short(duration_s: float, rules: Rules) -> VoiceFailure | None:
    """The recording is too short, or the part of it that was named."""
    missing = rules.min_s - duration_s
    if missing <= SLACK_S:
        return None
    return VoiceFailure(
        "too_short",
        f"{duration_s:.1f} s long, {rules.min_s:g} s needed; hand in at least {_up(missing):g} s more",
        value=duration_s,
        limit=rules.min_s,
    )


def too_long(duration_s: float, rules: Rules, *, truncated: bool) -> VoiceFailure | None:
    """A sample is longer than may be handed in."""
    if duration_s <= rules.max_s + SLACK_S and not truncated:
        return None
    return VoiceFailure(
        "too_long",
        f"{'more than ' if truncated else ''}{duration_s:.1f} s long, {rules.max_s:g} s allowed; cut out "
        f"{rules.best_min_s:g} to {rules.best_max_s:g} s of it",
        value=duration_s,
        limit=rules.max_s,
    )


def speechless(seen: Scan, *, start_s: float = 0.0) -> VoiceFailure | None:
    """Nobody speaks: there is silence, music, a tone, or some other sound. What was seen begins at `start_s`."""
    if seen.spans():
        return None
    if seen.level_db < SILENT_DBFS:
        return VoiceFailure(
            "silent",
            f"level {_down(seen.level_db, 0):.0f} dBFS and nobody speaks, {SILENT_DBFS:.0f} dBFS needed; check the "
            f"microphone and, of a recording with several channels, which one the speaker is on",
            value=seen.level_db,
            limit=SILENT_DBFS,
        )
    music, tones = seen.music_spans(), seen.tone_spans()
    for code, found, least in (("music", music, MUSIC_S), ("synthetic_tone", tones, TONE_S)):
        seconds, there = speech_s(found), [span.later(start_s) for span in found]
        if seconds > least and seconds >= max(speech_s(music), speech_s(tones)):
            what = "music" if code == "music" else "tones"
            return VoiceFailure(
                code,
                f"{_up(seconds):.1f} s of {what} ({_listed(there)}) and no speech in {seen.duration_s:.1f} s of sound, "
                f"{least:g} s allowed; record a person speaking",
                value=seconds,
                limit=least,
            )
    return VoiceFailure(
        "speech_too_short",
        f"0.0 s of speech in {seen.duration_s:.1f} s of sound; record a person speaking",
        value=0.0,
    )


def too_little_speech(  # noqa: PLR0913  what is known of the rest of the recording
    found: Sound, at: Span, rules: Rules, *, spans: Sequence[Span] = (), truncated: bool = False, people: int = 1
) -> VoiceFailure | None:
    """Somebody speaks in a stretch, but not for long enough.

    Args:
        found: what was measured of it.
        at: where it lies in the recording.
        rules: what it must be.
        spans: where the speaker speaks in the whole recording.
        truncated: the recording is longer than what was looked at.
        people: who speak in it.
    """
    if found.speech_s >= rules.min_speech_s:
        return None
    others = [span for span in spans if span.end_s <= at.start_s or span.start_s >= at.end_s]
    if others:
        most = max(others, key=lambda span: span.duration_s)
        seen = "in the part that was searched" if truncated else "in the same recording"
        way_out = (
            f"{speech_s(tuple(others)):.1f} s more are {seen}, {most.duration_s:.1f} s of it at {between(most)}, "
            "too far apart for one sample; "
        )
        way_out += "hand in a recording in which nobody speaks in between" if people > 1 else "record continuous speech"
    else:
        way_out = f"speak for at least {_up(rules.min_speech_s - found.speech_s):g} s more"
    return VoiceFailure(
        "speech_too_short",
        f"{_down(found.speech_s):.1f} s of speech at {between(at)}, {rules.min_speech_s:g} s needed; {way_out}",
        value=found.speech_s,
        limit=rules.min_speech_s,
    )


def unfit_sound(found: Sound, at: Span, rules: Rules) -> VoiceFailure | None:
    """What is wrong with a stretch, whoever speaks in it."""
    where = between(at)
    if found.clip_ratio > CLIPPED:
        return VoiceFailure(
            "clipped",
            f"{_up(found.clip_ratio, 4):.2%} of the sound at {where} is cut off at its loudest, {CLIPPED:.2%} allowed; "
            "lower the recording level by 6 dB or more",
            value=found.clip_ratio,
            limit=CLIPPED,
        )
    if found.level_dbfs < QUIET_DBFS:
        return VoiceFailure(
            "too_quiet",
            f"speech at {_down(found.level_dbfs, 0):.0f} dBFS at {where}, {QUIET_DBFS:.0f} dBFS needed; raise the "
            f"recording level by {_up(QUIET_DBFS - found.level_dbfs):g} dB or go closer to the microphone",
            value=found.level_dbfs,
            limit=QUIET_DBFS,
        )
    for code, seconds, least, what in (
        ("music", found.music_s, MUSIC_S, "music"),
        ("synthetic_tone", found.tone_s, TONE_S, "tones"),
    ):
        if seconds > least:
            return VoiceFailure(
                code,
                f"{_up(seconds):.1f} s of {what} between the words at {where}, {least:g} s allowed; hand in a "
                f"recording with {rules.best_min_s:g} s of speech in one piece",
                value=seconds,
                limit=least,
            )
    if found.snr_db < NOISY_DB:
        return VoiceFailure(
            "noisy",
            f"speech only {_down(found.snr_db):.1f} dB over the noise at {where}, {NOISY_DB:g} dB needed; record "
            "where it is quieter, or hand in another recording",
            value=found.snr_db,
            limit=NOISY_DB,
        )
    return None


def unfit_voices(found: Measures, at: Span, *, people: int) -> VoiceFailure | None:
    """More than one person is in a stretch; held against a stricter limit where several are in the recording."""
    if found.overlap > OVERLAP:
        return VoiceFailure(
            "overlapped",
            f"two speak at once in {_up(found.overlap, 2):.0%} of the speech at {between(at)}, {OVERLAP:.0%} allowed; "
            "name the channel the speaker is on, or cut out a stretch in which the speaker alone speaks",
            value=found.overlap,
            limit=OVERLAP,
        )
    few = found.speech_s < _FEW_S
    for likeness, least in (
        (found.voices_p10, (_P10_FEW if few and people > 1 else _P10)[found.narrow_band]),
        (found.voices_parted, _PARTED_FEW if few and people == 1 else _PARTED),
    ):
        if likeness < least:
            return VoiceFailure(
                "several_voices",
                f"voice likeness {_down(likeness, 2):.2f} within {between(at)}, {least:.2f} needed; name the channel "
                "the speaker is on, or cut out a stretch in which the speaker alone speaks",
                value=likeness,
                limit=least,
            )
    return None


def not_alone(found: Sound, at: Span, others: Sequence[Span]) -> VoiceFailure | None:
    """Somebody else was told apart in a stretch, though its voices are alike."""
    own = 1 - speech_s(within(tuple(others), at.start_s, at.end_s)) / max(found.speech_s, 0.1)
    if own >= 1 - OVERLAP:
        return None
    return VoiceFailure(
        "several_voices",
        f"one voice in {_down(max(0.0, own), 2):.0%} of the speech at {between(at)}, {1 - OVERLAP:.0%} needed; name "
        "the channel the speaker is on, or cut out a stretch in which the speaker alone speaks",
        value=max(0.0, own),
        limit=1 - OVERLAP,
    )


def nobody_alone(others: Sequence[Span], spans: Sequence[Span], *, people: int) -> VoiceFailure:
    """Wherever the one who is meant speaks, somebody else does too, or speaks so soon that no stretch is left."""
    share = min(1.0, speech_s(tuple(others)) / max(speech_s(tuple(spans)), 0.1))
    who = f"{people} people speak, others" if people > 1 else "others speak"
    return VoiceFailure(
        "several_voices" if people > 1 else "overlapped",
        f"{who} in {_up(share, 2):.0%} of the speech, {OVERLAP:.0%} allowed, and nobody alone for long enough; name "
        "the channel the speaker is on, or hand in another recording",
        value=share,
        limit=OVERLAP,
    )


def advice(found: Sound, rules: Rules) -> tuple[str, ...]:
    """What is to know of a stretch that will do, as codes of `ADVICE`."""
    short = found.duration_s < rules.best_min_s - SLACK_S
    return ("narrow_band",) * found.narrow_band + ("short",) * short


def _listed(spans: Sequence[Span]) -> str:
    shown = ", ".join(between(span) for span in spans[:3])
    return shown if len(spans) <= 3 else f"{shown} and {len(spans) - 3} more"


def _up(value: float, digits: int = 1) -> float:
    """Round up, so that what is over a limit reads so, and who does what the message says passes."""
    return float(math.ceil(round(value * 10**digits, 3)) / 10**digits)


def _down(value: float, digits: int = 1) -> float:
    """Round down, so that what is under a limit reads so."""
    return -_up(-value, digits)
