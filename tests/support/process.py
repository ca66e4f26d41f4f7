"""A process of Voxroll as it is run in earnest: `python -m ROOM`, settings by environment, killed without mercy."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from config.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """Settings as the variables that the processes read."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VOXROLL_")}
    return kept | {
        "VOXROLL_ACCOUNT": settings.account,
        "VOXROLL_DATA_DIR": str(settings.data_dir),
        "VOXROLL_CACHE_DIR": str(settings.cache_dir),
        "VOXROLL_REDIS_URL": settings.redis.url.get_secret_value(),
        "VOXROLL_ENGINE_TOKEN_KEY": settings.engine.token_key.get_secret_value(),
        "VOXROLL_ENGINE_VOICE_KEY": settings.engine.voice_key.get_secret_value(),
        "VOXROLL_WORKER_VOICE_KEY": settings.worker.voice_key.get_secret_value(),
        "VOXROLL_ENGINE_CLIENT_SECRET": settings.engine.client_secret.get_secret_value(),
        "VOXROLL_LOG_FORMAT": "json",
        **more,
    }


@asynccontextmanager
async def started(room: str, env: Mapping[str, str], *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """One process, killed at the end of the block if it still lives."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", room, *words, cwd=_ROOT, env=dict(env), stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)
        await process.communicate()


async def until_ready(url: str, process: asyncio.subprocess.Process, *, within_s: float = 60.0) -> None:
    """Return once `/readyz` says 200; fails if the process ends first."""
    async with asyncio.timeout(within_s), aiohttp.ClientSession() as session:
        while process.returncode is None:
            try:
                async with session.get(url + "/readyz") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.02)
        raise AssertionError(f"the process ended with {process.returncode}")
