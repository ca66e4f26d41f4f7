"""The engine as an aiohttp application: parts, middlewares, routes, and what runs beside the requests.

Coming up: Redis has to be there, or the start fails; then the socket answers, while the models are loaded beside it
and `/readyz` says so. Going down: lanes give their jobs back, connections are closed.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import structlog
from aiohttp import web

from config.process import UnavailableError, end
from config.settings import Settings
from engine.service import callbacks, media, store
from engine.service.failure import StoreAwayError
from engine.service.handlers import ROUTES
from engine.service.middleware import answering, authorised, limited, misbehaving
from engine.service.parts import PARTS, Parts, assemble
from engine.service.reseal import Resealer
from engine.voice.model import ModelError
from engine.voice.voice import Voice

_TIDY_S = 3600.0

_log = structlog.get_logger()


def create_app(
    settings: Settings,
    *,
    callback_delays_s: Sequence[float] = callbacks.DELAYS_S,
    fetch_delays_s: Sequence[float] = media.DELAYS_S,
    voice: Voice | None = None,
) -> web.Application:
    """Make the application; it connects and loads when it is started.

    Args:
        settings: the whole tree.
        callback_delays_s: pause before each further try of a callback.
        fetch_delays_s: pause before each further try to fetch a `contentUri`.
        voice: the models where they are in memory already.

    Raises:
        SettingsError: a secret is missing, or a fault is unknown.

    Started, it raises SettingsError where the voice key is not the one that voiceprints were sealed under.
    """
    parts = assemble(settings, callback_delays_s=callback_delays_s, fetch_delays_s=fetch_delays_s, voice=voice)
    middlewares = [answering, authorised]
    if parts.limiter:
        middlewares.append(limited(parts.limiter))
    if parts.faults:
        middlewares.append(misbehaving(parts.faults))
    app = web.Application(client_max_size=settings.engine.max_body_bytes, middlewares=middlewares)
    app[PARTS] = parts
    app.cleanup_ctx.extend([_redis, _listening])
    if settings.engine.role != "api":
        app.cleanup_ctx.append(_work)
    app.add_routes(ROUTES)
    return app


async def _redis(app: web.Application) -> AsyncIterator[None]:
    parts = app[PARTS]
    try:
        await store.wait_until_there(parts.redis, parts.settings.redis)
        await _refuse_wrong_key(parts)
        yield
    finally:
        await parts.redis.aclose(close_connection_pool=True)


async def _refuse_wrong_key(parts: Parts) -> None:
    try:
        await Resealer(parts.redis, parts.seal, account=parts.settings.account).refuse_wrong_key()
    except StoreAwayError as error:
        raise UnavailableError(str(error)) from error


async def _listening(app: web.Application) -> AsyncIterator[None]:
    """Every process hears the bell: some wait for jobs to do, some for jobs to end."""
    bell = asyncio.create_task(app[PARTS].bell.run())
    try:
        yield
    finally:
        await end(bell)


async def _work(app: web.Application) -> AsyncIterator[None]:
    parts = app[PARTS]
    parts.callbacks.open()
    beside = [asyncio.create_task(_tidy(parts)), asyncio.create_task(parts.forgetting.run())]
    jobs = (_hear_and_work(parts), *(lane.run() for lane in parts.waiting))
    lanes = [asyncio.create_task(job) for job in jobs]
    try:
        yield
    finally:
        for lane in lanes:
            lane.cancel()  # once: a lane ends its own worker however often that takes
        await asyncio.gather(*lanes, return_exceptions=True)
        await end(*beside)
        await parts.callbacks.close()
        parts.ears.close()


async def _hear_and_work(parts: Parts) -> None:
    """Load the models, then work off what needs them; without models the engine is of no use."""
    engine = parts.settings.engine
    try:
        await parts.ears.load(parts.settings.cache_dir)
    except Exception as error:  # noqa: BLE001  onnxruntime raises its own, unrelated kinds
        if not isinstance(error, ModelError):
            _log.exception("model.failed", model=engine.model)
        parts.fate.reason = f"the model {engine.model} can't be used: {error}"
        parts.fate.broken.set()
        return
    async with asyncio.TaskGroup() as group:  # cancelled, it waits for all: gather would return with the first
        for work in (parts.crew.work(), *(lane.run() for lane in parts.hearing)):
            group.create_task(work)


async def _tidy(parts: Parts) -> None:
    while True:
        with suppress(StoreAwayError, OSError):
            await parts.desk.clear_strays()
        await asyncio.sleep(_TIDY_S)
