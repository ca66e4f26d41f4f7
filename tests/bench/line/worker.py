"""The workshop with its voice step switched off: `python -m tests.bench.line.worker`.

The first recording is measured and cut; all others get the same stretch, a kilobyte of its clip (`--whole-clips`: all
of it) and no print, so that no voices are compared. All else is the workshop's own.
"""

import asyncio
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from config import process
from config.settings import Settings
from engine.voice.apart import Decoders
from engine.voice.preflight import Window
from engine.voice.recent import Recent
from worker.enrollment.record import Stretch
from worker.furnishing import opened
from worker.process import work

_CLIP_BYTES = None if "--whole-clips" in sys.argv else 1024
_Key = tuple[str, int | None, Stretch, str]
_Found = tuple[Window, bytes]


class _OneWindow(Recent[_Key, _Found]):
    """Every recording's best stretch is that of the first one."""

    _found: _Found | None = None

    def get(self, key: _Key, compute: Callable[[], _Found]) -> _Found:  # noqa: ARG002 -- the same for all
        if self._found is None:
            self._found = compute()[0], b""
        return self._found


class _OneClip(Decoders):
    """Every clip is that of the first one."""

    _clip = b""

    def cut(self, source: Path, *, start_s: float, end_s: float, channel: int | None = None) -> bytes:
        self._clip = self._clip or super().cut(source, start_s=start_s, end_s=end_s, channel=channel)[:_CLIP_BYTES]
        return self._clip


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    async with opened(settings) as (shop, redis):
        with _OneClip() as decoders:
            await work(replace(shop, decoders=decoders, windows=_OneWindow(1)), redis, stop)


if __name__ == "__main__":
    sys.exit(process.run("worker", serve))
