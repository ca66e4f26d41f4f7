"""Diarization: who speaks when in a call.

In: a recording, how many speak in it if that is known, voiceprints of who may be among them. Out: turns, each with the
id of a known voice or a number, in order of first appearance. Where two speak at once, their turns overlap.

The segmentation net tells when somebody speaks, and when two do. Who it is, voiceprints of pieces of a second tell:
they find the people (`people`), and each piece goes to the nearest (`labels`). As elsewhere in the house, speech has
0.1 s more on both sides than is heard, and pauses of up to 0.3 s belong to it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.voice.band import is_narrow_band
from engine.voice.embedding import MIN_S
from engine.voice.labels import Stretch, said
from engine.voice.naming import Known, named
from engine.voice.parties import parties
from engine.voice.people import people
from engine.voice.recording import Recording
from engine.voice.samples import RATE_HZ, Samples, floats
from engine.voice.speech import Span
from engine.voice.tracks import Piece, pieces
from engine.voice.voice import Voice
from engine.voice.voiceprint import centred

_PIECE_S = 1.0  # holds one voice nearly always, and enough of it
_HEARD_S = 20.0  # of speech are enough to tell the band and to know a voice
_SHARPNESS = 20.0  # of the softmax over cosines; 64 to 140 fit read speech, by length and band: calls are harder

Read = Callable[[int | None], Recording]


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaks.

    Attributes:
        start_s: in seconds from the beginning.
        end_s: likewise.
        speaker: a known id, or "0", "1", ... in order of first appearance.
        confidence: 0 to 1: the mean over the turn of the probability that somebody speaks, times the probability that,
            of the people found, it is this one; on a channel of its own the first alone.
    """

    start_s: float
    end_s: float
    speaker: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Diarized:
    """Who speaks when, in order of time, and how many they are."""

    speaker_count: int
    turns: tuple[Turn, ...]


def diarize(
    voice: Voice,
    read: Read,
    *,
    speaker_count: int | None = None,
    known: Known | None = None,
    by_channel: bool = False,
) -> Diarized:
    """Tell who speaks when.

    Args:
        voice: the models.
        read: gives the recording's channel of that number, or the mean of all for None.
        speaker_count: how many speak, at least 1; None to find out. Fewer are found where there are no more voices.
        known: voiceprints of those who may speak, by id.
        by_channel: one speaks on each channel. Where there is but one, or all hold the same sound, voices decide.

    Raises:
        VoiceFailure: the recording can't be read.
        ValueError: `speaker_count` is under 1.
    """
    if speaker_count is not None and speaker_count < 1:
        raise ValueError(f"speaker_count is {speaker_count}, at least 1 needed; leave it out if it is unknown")
    on_channels = parties(voice, read) if by_channel else None
    if on_channels is not None:
        speech = [_heard(read(one.channel).samples, one.spans) for one in on_channels] if known else []
        names = named(voice, speech, known, once=True) if known else [None] * len(on_channels)
        return _told([stretch for one in on_channels for stretch in one.said], names)
    samples = read(None).samples
    found = _by_voice(voice, samples, speaker_count)
    count = 1 + max((one.person for one in found), default=-1)
    if not known:
        return _told(found, [None] * count)
    speech = [_heard(samples, _alone(found, person)) for person in range(count)]
    return _told(found, named(voice, speech, known, once=speaker_count is not None))


def _by_voice(voice: Voice, samples: Samples, count: int | None) -> list[Stretch]:
    """Who says what in one channel."""
    tracks = voice.tracks(samples)
    parts = pieces(tracks.who, most_s=_PIECE_S)
    if not parts:
        return []
    long = [number for number, part in enumerate(parts) if part.duration_s >= MIN_S]
    if not long:  # a word or two: somebody
        return said(tracks, parts, np.ones((len(parts), 1)))
    vectors = _vectors(voice, samples, [parts[number] for number in long])
    found = people(vectors, np.array([parts[number].duration_s for number in long]), count=count)
    chances = np.full((len(parts), len(found)), np.nan)
    chances[long] = _softmax(_SHARPNESS * (vectors @ found.T).astype(np.float64))
    return said(tracks, parts, chances)


def _vectors(voice: Voice, samples: Samples, parts: Sequence[Piece]) -> NDArray[np.float32]:
    """Centred vectors of pieces, (pieces, 192)."""
    narrow = is_narrow_band(_heard(samples, (Span(one.start_s, one.end_s) for one in parts)))
    centre = voice.centre(narrow_band=narrow)
    return np.stack([centred(voice.embed(_cut(samples, one.start_s, one.end_s)), centre) for one in parts])


def _heard(samples: Samples, spans: Iterable[Span]) -> NDArray[np.float32]:
    """The longest of these spans one after the other, as floats: 20 s of them, or all there is."""
    held: list[NDArray[np.float32]] = []
    room_s = _HEARD_S
    for span in sorted(spans, key=lambda span: span.duration_s, reverse=True):
        if room_s <= 0:
            break
        held.append(_cut(samples, span.start_s, min(span.end_s, span.start_s + room_s)))
        room_s -= span.duration_s
    return np.concatenate(held) if held else np.zeros(0, np.float32)


def _cut(samples: Samples, start_s: float, end_s: float) -> NDArray[np.float32]:
    return floats(samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)])


def _alone(found: Sequence[Stretch], person: int) -> list[Span]:
    """Where a person speaks and nobody else begins or ends; everything the person says, where there is no such."""
    mine = [one for one in found if one.person == person]
    others = [one for one in found if one.person != person]
    free = [one for one in mine if not any(one.start_s < other.end_s and other.start_s < one.end_s for other in others)]
    return [Span(one.start_s, one.end_s) for one in free or mine]


def _softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _told(found: Sequence[Stretch], names: Sequence[str | None]) -> Diarized:
    """Names for numbers: strangers are counted in order of first appearance, and never by a number that is an id."""
    ordered = sorted(found, key=lambda one: (one.start_s, one.end_s))
    called: dict[int, str] = {}
    strangers = (number for number in map(str, range(len(names) + len(set(names)))) if number not in names)
    for one in ordered:
        if one.person not in called:
            called[one.person] = names[one.person] or next(strangers)
    turns = tuple(Turn(one.start_s, one.end_s, called[one.person], one.confidence) for one in ordered)
    return Diarized(len(set(called.values())), turns)
