"""Decoding in a process of its own: a recording is foreign input, and what it does to a decoder must end there.

`Decoders` starts a child (`python -m engine.voice.apart`) when one is needed, hands it one recording at a time, and
keeps it for the next. A child has a bounded memory and, for each recording, a bounded time; one that dies takes along
nobody but its recording, which becomes a `VoiceFailure`. Samples come over a pipe as they are decoded, so that the
child's memory doesn't grow with the recording.
"""

import json
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from engine.voice.failure import VoiceFailure
from engine.voice.recording import Recording, Sound, cut, recorded, streamed, yield_into
from engine.voice.samples import RATE_HZ

_T = TypeVar("_T")
_MOST_BYTES = 2 << 30  # of addresses; the libraries take 0.2 GB of them, 50 MB of it resident
_LONGEST_S = 120.0  # for half an hour of sound: Opus, a slow one to decode, takes 7 s of it
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL})
_HEAD = struct.Struct("<cI")  # kind and length of what follows
_SAMPLES, _SOUND, _FILE, _FAILED, _UNREAD = b"s", b"e", b"w", b"f", b"o"


class Decoders:
    """Children that decode, as many as there are callers at one time; threads may share it.

    Args:
        longest_s: after so long over one recording a child is ended, unless it is asked with another limit.
        most_bytes: of its address space.
    """

    def __init__(self, *, longest_s: float = _LONGEST_S, most_bytes: int = _MOST_BYTES) -> None:
        self._longest_s, self._most_bytes = longest_s, most_bytes
        self._idle: list[_Child] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def decode(  # noqa: PLR0913 -- each says what of the file, or how long
        self,
        source: Path,
        *,
        channel: int | None = None,
        start_s: float = 0.0,
        end_s: float | None = None,
        limit_s: float = 1800.0,
        longest_s: float | None = None,
    ) -> Recording:
        """As `recording.decode`; a file that crashes two decoders, or keeps one busy for too long, is `corrupt`.

        Raises:
            DecoderError: two children in turn could not start or were killed.
        """
        return _again(lambda: self._decode(source, limit_s, longest_s, channel=channel, start_s=start_s, end_s=end_s))

    def _decode(self, source: Path, limit_s: float, longest_s: float | None, **request: Any) -> Recording:
        samples = np.empty(round((limit_s + 1) * RATE_HZ), np.int16)  # touched only as far as it is filled
        filled = 0
        with self._asked(source, longest_s, limit_s=limit_s, **request) as child:
            while (answer := child.read(samples[filled:]))[0] == _SAMPLES:
                filled += answer[1]
        return recorded(samples[:filled], Sound(**json.loads(answer[2])))

    def cut(self, source: Path, *, start_s: float, end_s: float, channel: int | None = None) -> bytes:
        """As `recording.cut`, and as `decode`."""
        return _again(lambda: self._cut(source, start_s=start_s, end_s=end_s, channel=channel))

    def _cut(self, source: Path, **request: Any) -> bytes:
        with self._asked(source, None, **request) as child:
            return child.read(np.empty(0, np.int16))[2]

    def close(self) -> None:
        """End the children."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    @contextmanager
    def _asked(self, source: Path, longest_s: float | None, **request: Any) -> Iterator["_Child"]:
        child = self._one()
        try:
            child.ask({"source": os.fspath(source), **request}, longest_s=longest_s or self._longest_s)
            yield child
        finally:
            if child.is_free:
                with self._lock:
                    self._idle.append(child)
            else:
                child.end()

    def _one(self) -> "_Child":
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.is_there():
                    return child
                child.end()
        return _Child(most_bytes=self._most_bytes)


class DecoderError(Exception):
    """A child could not start, or was killed from outside (no memory left, an administrator): to be tried again."""


class _DiedError(VoiceFailure):
    """A child crashed over a recording."""


def _again(work: Callable[[], _T]) -> _T:
    """Do it once more where a child died: it may not have been the recording that killed it."""
    try:
        return work()
    except (_DiedError, DecoderError):
        return work()


class _Child:
    """One child, seen from its parent; free once it has answered to the end."""

    def __init__(self, *, most_bytes: int) -> None:
        self._longest_s = 0.0  # of the request it is working on
        self.is_free = True
        try:
            self._process = subprocess.Popen(  # noqa: S603  (this module, by this interpreter)
                [sys.executable, "-P", "-m", "engine.voice.apart", str(most_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if not name.startswith("VOXROLL_")}  # no keys
                | {"OPENBLAS_NUM_THREADS": "1"},
            )
        except OSError as error:
            raise DecoderError(f"no decoder could be started: {error.strerror}") from error
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("they were asked for")
        self._in, self._out = self._process.stdin, cast("BufferedReader", self._process.stdout)

    def is_there(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: dict[str, Any], *, longest_s: float) -> None:
        """Hand in a recording; the answer is read part by part, and is to be there within `longest_s`.

        Raises:
            VoiceFailure: the child has just died.
        """
        self.is_free, self._longest_s = False, longest_s
        try:
            self._in.write(json.dumps(request | {"longest_s": longest_s}).encode() + b"\n")
            self._in.flush()
        except BrokenPipeError as error:
            raise self._death() from error

    def read(self, into: NDArray[np.int16]) -> tuple[bytes, int, bytes]:
        """The next part of an answer: its kind, and either how many samples were put down or its bytes.

        Raises:
            VoiceFailure: the recording will not do, or has ended the child.
            OSError: it can't be read.
        """
        kind, length = _HEAD.unpack(self._whole(_HEAD.size))
        if kind == _SAMPLES:
            if self._out.readinto(into[: length // 2].data.cast("B")) < length:
                raise self._death()
            return kind, length // 2, b""
        told = self._whole(length)
        self.is_free = True
        if kind == _FAILED:
            raise VoiceFailure(**json.loads(told))
        if kind == _UNREAD:
            raise OSError(*json.loads(told))
        return kind, 0, told

    def _whole(self, length: int) -> bytes:
        told = self._out.read(length)
        if len(told) < length:
            raise self._death()
        return told

    def _death(self) -> VoiceFailure:
        self._process.kill()  # where it closed its output and lives on
        code = self._process.wait()
        if code == -signal.SIGALRM:
            return VoiceFailure(
                "corrupt",
                f"still not decoded after {self._longest_s:g} s; convert the recording to WAV",
                value=self._longest_s,
                limit=self._longest_s,
            )
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        if -code not in _CRASHES:
            raise DecoderError(f"a decoder ended with {how}, which says nothing of the recording")
        return _DiedError("corrupt", f"it ended its decoder ({how}); convert the recording to WAV")

    def end(self) -> None:
        with suppress(BrokenPipeError), self._process:  # closes the pipes and waits
            self._process.kill()


def main() -> None:
    """Be a child: requests as JSON lines on standard input, answers on standard output."""
    most_bytes = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # no voice in a core file
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to heed; it closes standard input
    for line in sys.stdin.buffer:
        request = json.loads(line)
        longest_s = request.pop("longest_s")
        signal.setitimer(signal.ITIMER_REAL, longest_s)  # by default SIGALRM ends a process, whatever it is doing
        _answer(Path(request.pop("source")), request)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _answer(source: Path, request: dict[str, Any]) -> None:
    try:
        if "limit_s" in request:
            sound = yield_into(lambda piece: _say(_SAMPLES, piece.tobytes()), streamed(source, **request))
            _say(_SOUND, json.dumps(asdict(sound)).encode())
        else:
            _say(_FILE, cut(source, **request))
    except VoiceFailure as failure:
        told = {"code": failure.code, "message": failure.message, "value": failure.value, "limit": failure.limit}
        _say(_FAILED, json.dumps(told).encode())
    except MemoryError:
        message = "it takes more memory to decode than a recording may; convert it to WAV"
        _say(_FAILED, json.dumps({"code": "corrupt", "message": message}).encode())
    except OSError as error:
        _say(_UNREAD, json.dumps([error.errno, error.strerror]).encode())


def _say(kind: bytes, told: bytes) -> None:
    out = sys.stdout.buffer
    out.write(_HEAD.pack(kind, len(told)))
    out.write(told)
    out.flush()


if __name__ == "__main__":
    main()
