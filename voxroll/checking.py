"""Recordings judged on this machine alone: usable, and which stretch of each, or why not and what would help.

The very rules that the worker applies before it spends a call. Nothing is sent, stored or changed.
"""

import hashlib
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.voice.apart import DecoderError, Decoders
from engine.voice.failure import VoiceFailure
from engine.voice.preflight import Rules, Window, choose
from engine.voice.voice import Voice

_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("3gp", "aac", "aif", "aiff", "amr", "asf", "au", "avi", "caf", "flac", "g722", "m4a", "m4v", "mka", "mkv"),
        *("mov", "mp3", "mp4", "oga", "ogg", "opus", "snd", "w64", "wav", "webm", "wma", "wmv"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one recording.

    Attributes:
        file: as it was named, or found in a folder.
        window: the stretch that would be handed in; None where the recording is refused.
        refusal: code, measured value, limit and way out; None where it is usable.
        duration_s: seconds of it that were looked at; 0 where nothing could be decoded.
        audio_sha256: of its sound, whatever container it came in; empty where nothing could be decoded.
    """

    file: Path
    window: Window | None = None
    refusal: VoiceFailure | None = None
    duration_s: float = 0.0
    audio_sha256: str = ""

    def wire(self) -> dict[str, Any]:
        """As `--json` prints it."""
        told: dict[str, Any] = {"file": readable(self.file), "usable": self.window is not None}
        if self.refusal:
            refusal = self.refusal
            told |= {"code": refusal.code, "message": refusal.message, "value": refusal.value, "limit": refusal.limit}
        if self.duration_s:
            told |= {"durationS": round(self.duration_s, 3), "audioSha256": self.audio_sha256}
        if self.window:
            told |= {"startS": self.window.start_s, "endS": self.window.end_s, "measures": _measures(self.window)}
        return told


def readable(file: Path) -> str:
    """The name for people and JSON; bytes that are no UTF-8 are shown as �."""
    return os.fsencode(file).decode(errors="replace")


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files that are meant: those named, and of folders all that look like recordings, in order, each once."""
    found: dict[Path, None] = {}
    for path in paths:
        found.update(dict.fromkeys(_inside(path) if path.is_dir() else [path]))
    return list(found)


def _inside(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """How recordings are judged.

    Attributes:
        voice: the models.
        decoders: who decodes.
        rules: what a sample must be.
        channel: the one to take of each recording, from 0; None for the mean of all.
        limit_s: seconds of each recording that are looked at.
    """

    voice: Voice
    decoders: Decoders
    rules: Rules
    channel: int | None
    limit_s: float

    def all_of(self, files: Sequence[Path], *, threads: int) -> Iterator[Verdict]:
        """Judge files, so many at one time, one core each; verdicts come in the order of the files."""
        known: dict[str, Path] = {}
        with ThreadPoolExecutor(threads) as pool:
            try:
                for verdict in pool.map(self.one, files):
                    first = known.setdefault(verdict.audio_sha256, verdict.file) if verdict.window else verdict.file
                    yield verdict if first is verdict.file else _repeated(verdict, first)
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def one(self, file: Path) -> Verdict:
        """Judge a file, which may be missing, unreadable or no recording: the verdict says so."""
        verdict = Verdict(file=file)
        try:
            recording = self.decoders.decode(file, channel=self.channel, limit_s=self.limit_s)
            sound = hashlib.sha256(recording.samples.data).hexdigest()
            verdict = replace(verdict, duration_s=recording.duration_s, audio_sha256=sound)
            return replace(verdict, window=choose(self.voice, recording, self.rules))
        except VoiceFailure as refusal:
            return replace(verdict, refusal=refusal)
        except FileNotFoundError:
            return replace(verdict, refusal=VoiceFailure("not_found", "there is no such file; check the name"))
        except DecoderError as error:
            return replace(verdict, refusal=VoiceFailure("unreadable_source", f"{error}; check it again"))
        except OSError as error:
            why = f"{error.strerror or type(error).__name__}; let it be read by who runs this"
            return replace(verdict, refusal=VoiceFailure("unreadable_source", why))


def _repeated(verdict: Verdict, first: Path) -> Verdict:
    refusal = VoiceFailure(
        "duplicate_recording",
        f"the same sound as {readable(first)}; each recording gives one sample, hand in another conversation",
    )
    return replace(verdict, window=None, refusal=refusal)


def _measures(window: Window) -> dict[str, Any]:
    found = window.measures
    return {
        "durationS": round(found.duration_s, 3),
        "speechS": round(found.speech_s, 3),
        "longestPauseS": round(found.longest_pause_s, 3),
        "snrDb": round(found.snr_db, 1),
        "clipRatio": round(found.clip_ratio, 5),
        "levelDbfs": round(found.level_dbfs, 1),
        "narrowBand": found.narrow_band,
        "consistency": None if math.isnan(found.consistency) else round(found.consistency, 3),
    }
