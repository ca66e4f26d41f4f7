"""Recordings judged on this machine alone: usable, and which stretch of each, or why not and what would help.

The very rules that the worker applies before it spends a call. Nothing is sent, stored or changed.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from engine.voice import refusals
from engine.voice.apart import DecoderError, Decoders
from engine.voice.failure import VoiceFailure
from engine.voice.likeness import Print, make
from engine.voice.preflight import Found, Rules, Search, Window, mine
from engine.voice.recording import Recording
from engine.voice.voice import Voice
from voxroll.asked import Asked, readable
from voxroll.heard import Heard, heard
from worker.contract.fields import Stretch

_AHEAD = 4  # recordings for each thread: none waits for a slow one before it


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one recording.

    Attributes:
        asked: what was to be judged.
        refusal: code, measured value, limit and way out; None where it is usable.
        heard: what it holds; None where it could not be decoded.
        advice: what is to know of its best stretch, as codes of `codes.ADVICE`.
        audio_sha256: of the sound that was searched, whatever container it came in; empty where `heard` is None.
        file_sha256: of the file, likewise.
        print_: of its best stretch, where it was asked for.
    """

    asked: Asked
    refusal: VoiceFailure | None = None
    heard: Heard | None = None
    advice: tuple[str, ...] = ()
    audio_sha256: str = ""
    file_sha256: str = ""
    print_: Print | None = None

    @property
    def file(self) -> Path:
        """The file it is of."""
        return self.asked.file

    @property
    def duration_s(self) -> float:
        """Seconds that were looked at; 0 where nothing could be decoded."""
        return self.heard.duration_s if self.heard else 0.0

    @property
    def windows(self) -> tuple[Window, ...]:
        """What would be handed in, best first; none where it is refused."""
        return self.heard.windows if self.heard and not self.refusal else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """How recordings are judged.

    Attributes:
        voice: the models.
        decoders: who decodes.
        rules: what a sample must be.
        limit_s: seconds of each recording that are looked at.
        channel: the one the speaker is on, from 0, where a manifest says nothing else; None to find out.
        want: stretches to find in each.
        prints: whether voices are to be compared: each best stretch gets a print.
    """

    voice: Voice
    decoders: Decoders
    rules: Rules
    limit_s: float
    channel: int | None = None
    want: int = 1
    prints: bool = False

    def all_of(self, asked: Iterable[Asked], *, threads: int) -> Iterator[Verdict]:
        """Judge recordings, so many at one time, one core each; verdicts come in the order they were asked for.

        No more are looked for than are about to be judged: what is asked may be longer than the memory.
        """
        known = _Known()
        waiting, under_way = iter(asked), deque[Callable[[], Verdict]]()
        with ThreadPoolExecutor(threads) as pool:
            try:
                while True:
                    more = islice(waiting, _AHEAD * threads - len(under_way))
                    under_way.extend(
                        partial(self.one, one) if one.refusal else pool.submit(self.one, one).result for one in more
                    )
                    if not under_way:
                        return
                    verdict = under_way.popleft()()
                    first = known.first(verdict)
                    yield _repeated(verdict, first) if first else verdict
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def one(self, asked: Asked) -> Verdict:
        """Judge a recording, which may be missing, unreadable or none: the verdict says so."""
        try:
            return self._heard(asked)
        except VoiceFailure as refusal:
            return Verdict(asked=asked, refusal=refusal)
        except FileNotFoundError:
            return _unread(asked, "not_found", "there is no such file; check the name")
        except DecoderError as error:
            return _unread(asked, "unreadable_source", f"{error}; check it again")
        except OSError as error:
            why = f"{error.strerror or type(error).__name__}; let it be read by who runs this"
            return _unread(asked, "unreadable_source", why)

    def _heard(self, asked: Asked) -> Verdict:
        if asked.refusal:
            raise asked.refusal
        reader = _Reader(self.decoders, asked.file, asked.stretch, self.limit_s)
        channel = self.channel if asked.channel is None else asked.channel
        found = mine(self.voice, reader.read, self.rules, Search(channel=channel, want=self.want))
        return Verdict(
            asked=asked,
            refusal=found.refusal,
            heard=heard(found, channels=reader.channels),
            advice=refusals.advice(found.windows[0].measures, self.rules) if found.windows else (),
            audio_sha256=reader.hashes.get(found.leg.channel) or reader.hashes[0],
            file_sha256=_sha256(asked.file),
            print_=self._print(found) if self.prints else None,
        )

    def _print(self, found: Found) -> Print | None:
        if not found.windows:
            return None
        best, began_s = found.windows[0], found.recording.start_s
        return make(self.voice, found.recording.between(best.start_s - began_s, best.end_s - began_s))


@dataclass(slots=True)
class _Reader:
    """Reads the channels of a file and keeps a hash of each.

    That of the searched channel names the sound: a muted other side would be the same in every call.
    """

    decoders: Decoders
    file: Path
    stretch: Stretch
    limit_s: float
    channels: int = 0
    hashes: dict[int | None, str] = field(default_factory=dict)

    def read(self, channel: int | None) -> Recording:
        start_s, end_s = self.stretch.start_s, self.stretch.end_s
        recording = self.decoders.decode(self.file, channel=channel, start_s=start_s, end_s=end_s, limit_s=self.limit_s)
        self.channels = recording.channels
        self.hashes[channel] = hashlib.sha256(recording.samples.data).hexdigest()
        return recording


class _Place(NamedTuple):
    """What is told of a recording that another one repeats."""

    file: str
    line: int | None
    speaker_id: str | None
    stretch: Stretch


class _Known:
    """Recordings that will do: by their sound, and by file and channel, of which stretches may be named.

    There may be a million: little is kept of each.
    """

    def __init__(self) -> None:
        self._sounds: dict[bytes, _Place] = {}
        self._parts: dict[bytes, tuple[_Place, ...]] = {}

    def first(self, verdict: Verdict) -> _Place | None:
        """Which recording has its sound already, if any."""
        if not verdict.windows or verdict.heard is None:
            return None
        asked = verdict.asked
        here = _Place(readable(asked.file), asked.line, asked.speaker_id, asked.stretch)
        first = self._sounds.setdefault(_short(verdict.audio_sha256), here)
        if first is not here:
            return first
        part = _short(f"{verdict.file_sha256} {verdict.heard.channel}")
        parts = self._parts.get(part, ())
        sharing = next((one for one in parts if one.stretch.shares(asked.stretch)), None)
        if sharing is None:
            self._parts[part] = (*parts, here)
        return sharing


def _short(name: str) -> bytes:
    """Sixteen bytes in the place of a name: by chance two of a million are the same with 10^-27."""
    return hashlib.blake2b(name.encode(), digest_size=16).digest()


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _unread(asked: Asked, code: str, message: str) -> Verdict:
    return Verdict(asked=asked, refusal=VoiceFailure(code, message))


def _repeated(verdict: Verdict, first: _Place) -> Verdict:
    speaker, other = verdict.asked.speaker_id, first.speaker_id
    is_whole = verdict.asked.stretch == first.stretch
    same = f"{'the same sound as' if is_whole else 'shares sound with a stretch of'} {first.file}"
    if first.line is not None:
        same += f" of line {first.line}"
    if speaker and other and speaker != other:
        why = f"{same}, which is said to be {other}, not {speaker}; one of the two is wrong"
    else:
        why = f"{same}; each recording gives one sample, hand in another conversation"
    return replace(verdict, refusal=VoiceFailure("duplicate_recording", why))
