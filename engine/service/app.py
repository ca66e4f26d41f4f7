"""The engine as an aiohttp application: parts, middlewares, routes, and what runs beside the requests.

Coming up: Redis has to be there, or the start fails; then the socket answers, while the models are loaded beside it
and `/readyz` says so. Going down: lanes give their jobs back, connections are closed.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import structlog
from aiohttp import web

from config.process import end
from config.settings import Settings
from engine.service import callbacks, media, store
from engine.service.failure import StoreAwayError
from engine.service.handlers import ROUTES
from engine.service.middleware import answering, authorised, limited, misbehaving
from engine.service.parts import PARTS, Parts, assemble
from engine.voice.model import ModelError

_TIDY_S = 3600.0

_log = structlog.get_logger()


def create_app(
    settings: Settings,
    *,
    callback_delays_s: Sequence[float] = callbacks.DELAYS_S,
    fetch_delays_s: Sequence[float] = media.DELAYS_S,
) -> web.Application:
    """Make the application; it connects and loads when it is started.

    Args:
        settings: the whole tree.
        callback_delays_s: pause before each further try of a callback.
        fetch_delays_s: pause before each further try to fetch a `contentUri`.

    Raises:
        SettingsError: a secret is missing, or a fault is unknown.
    """
    parts = assemble(settings, callback_delays_s=callback_delays_s, fetch_delays_s=fetch_delays_s)
    middlewares = [answering, authorised]
    if parts.limiter:
        middlewares.append(limited(parts.limiter))
    if parts.faults:
        middlewares.append(misbehaving(parts.faults))
    app = web.Application(client_max_size=settings.engine.max_body_bytes, middlewares=middlewares)
    app[PARTS] = parts
    app.cleanup_ctx.extend([_redis, _work])
    app.add_routes(ROUTES)
    return app


async def _redis(app: web.Application) -> AsyncIterator[None]:
    parts = app[PARTS]
    try:
        await store.wait_until_there(parts.redis, parts.settings.redis)
        yield
    finally:
        await parts.redis.aclose(close_connection_pool=True)


async def _work(app: web.Application) -> AsyncIterator[None]:
    parts = app[PARTS]
    parts.callbacks.open()
    tidying = asyncio.create_task(_tidy(parts))
    jobs = (_hear_and_work(parts), *(lane.run() for lane in parts.waiting))
    lanes = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        for lane in lanes:
            lane.cancel()  # once: a lane ends its own worker however often that takes
        await asyncio.gather(*lanes, return_exceptions=True)
        await end(tidying)
        await parts.callbacks.close()
        parts.ears.close()


async def _hear_and_work(parts: Parts) -> None:
    """Load the models, then work off what needs them; without models the engine is of no use."""
    engine = parts.settings.engine
    try:
        await parts.ears.load(parts.settings.cache_dir, name=engine.model)
    except Exception as error:  # noqa: BLE001  onnxruntime raises its own, unrelated kinds
        if not isinstance(error, ModelError):
            _log.exception("model.failed", model=engine.model)
        parts.fate.reason = f"the model {engine.model} can't be used: {error}"
        parts.fate.broken.set()
        return
    # with exceptions as results, or the first lane to end would cut the others short
    await asyncio.gather(*(lane.run() for lane in parts.hearing), return_exceptions=True)


async def _tidy(parts: Parts) -> None:
    while True:
        with suppress(StoreAwayError, OSError):
            await parts.desk.clear_strays()
        await asyncio.sleep(_TIDY_S)
