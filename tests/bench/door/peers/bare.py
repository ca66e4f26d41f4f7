"""aiohttp as it comes, over uvloop, answering 200 and doing nothing: what any aiohttp receiver could reach at most."""

import asyncio
import os

import uvloop
from aiohttp import web


async def _answer(_request: web.Request) -> web.Response:
    return web.Response()


async def _serve() -> None:
    app = web.Application()
    app.add_routes([web.post("/v1/callbacks/{token}", _answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(os.environ["BENCH_PORT"])).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve())
