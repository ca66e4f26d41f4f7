"""The voice models before the first start, fetched by a process of their own.

So its progress is seen, and the supervisor stays small, for models are never loaded here.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from config.settings import Settings
from voxroll.failure import CommandError, Exit

_SEGMENTATION = "segmentation"  # as in `engine.voice.manifest`, which is not imported: it costs numpy


def missing(settings: Settings) -> list[Path]:
    """Folders of models that aren't there."""
    models = settings.cache_dir / "models"
    return [folder for name in (settings.engine.model, _SEGMENTATION) if not (folder := models / name).is_dir()]


async def ensure(settings: Settings, *, say: Callable[[str], None]) -> None:
    """Have `voxroll model fetch` bring the models, unless their folders are there: they appear whole or not at all.

    Raises:
        CommandError: `model_missing`, with what that command said.
    """
    if not missing(settings):
        return
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "voxroll", "model", "fetch", "--name", settings.engine.model),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "VOXROLL_CACHE_DIR": str(settings.cache_dir), "NO_COLOR": "1"},
        process_group=0,
    )
    last = ""
    try:
        assert process.stderr is not None  # noqa: S101  (asked for as PIPE above)
        async for line in process.stderr:
            last = line.decode(errors="replace").strip() or last
            say(last)
        if await process.wait() != 0:
            raise CommandError("model_missing", last or "the voice model could not be had", exit_code=Exit.UNAVAILABLE)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGTERM)  # its own group: pip under it goes too
            await process.wait()
