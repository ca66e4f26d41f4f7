"""What an enrollment costs without a queue: one process that hears a sample while its request waits.

The same parts as the engine's (reading the request, hearing, the vault), without jobs, lanes and token. Settings by
environment; serves on VOXROLL_ENGINE_FD. `GET /readyz` answers once the models are there.
"""

import asyncio
import hashlib
import socket
import uuid
from collections.abc import Awaitable, Callable

import uvloop
from aiohttp import web

from config.settings import load
from engine.service import wire
from engine.service.enroll import now_ms
from engine.service.enrollment import Ask, Verb
from engine.service.parts import Parts, assemble


async def main() -> None:
    settings = load()
    parts = assemble(settings, callback_delays_s=(), fetch_delays_s=())
    await parts.ears.load(settings.cache_dir)
    app = web.Application(client_max_size=settings.engine.max_body_bytes)
    app.add_routes([web.post("/enroll", _enrolling(parts)), web.get("/readyz", _ready)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.SockSite(runner, socket.socket(fileno=settings.engine.fd)).start()
    await asyncio.Event().wait()


def _enrolling(parts: Parts) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def enroll(request: web.Request) -> web.Response:
        sample = await asyncio.to_thread(wire.read_sample, await request.read())
        audio = sample.media
        if sample.speaker_id is None or isinstance(audio, str):
            raise web.HTTPBadRequest
        ask = Ask(
            Verb.CREATE,
            sample.speaker_id,
            key=str(uuid.uuid4()),
            sha256=hashlib.sha256(audio).hexdigest(),
            asked_ms=now_ms(),
            parameter="speakerId",
        )
        await parts.enroller.judge(ask)
        name = str(uuid.uuid4())
        await asyncio.to_thread(parts.spool.write, name, audio, durable=False)
        made = await parts.enroller.apply(ask, parts.spool.path(name))
        await asyncio.to_thread(parts.spool.remove, name)
        return web.json_response(parts.enroller.told(made), status=201)

    return enroll


async def _ready(_request: web.Request) -> web.Response:
    return web.json_response({})


if __name__ == "__main__":
    uvloop.run(main())
