"""The voice model before the first start, fetched by a process of its own.

So its progress is seen, and the supervisor stays small, for models are never loaded here.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable

from config.settings import Settings
from voxroll.failure import CommandError, Exit


async def ensure(settings: Settings, *, say: Callable[[str], None]) -> None:
    """Have `voxroll model fetch` bring the model, unless its folder is there: it appears whole or not at all.

    Raises:
        CommandError: `model_missing`, with what that command said.
    """
    name = settings.engine.model
    if (settings.cache_dir / "models" / name).is_dir():
        return
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "voxroll", "model", "fetch", "--name", name),
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
