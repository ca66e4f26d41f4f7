"""Starlette on granian, one worker with uvloop."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from granian import Granian  # type: ignore[import-not-found]  # lives in the peer's environment
from granian.constants import Interfaces, Loops  # type: ignore[import-not-found]  # the same
from starlette.applications import Starlette  # type: ignore[import-not-found]  # the same
from starlette.requests import Request  # type: ignore[import-not-found]  # the same
from starlette.responses import JSONResponse  # type: ignore[import-not-found]  # the same
from starlette.routing import Route  # type: ignore[import-not-found]  # the same

from tests.bench.door.peers.work import Work


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.work = Work()
    yield


async def _receive(request: Request) -> JSONResponse:
    await request.app.state.work.take(request.path_params["token"], await request.body(), request.headers.raw)
    return JSONResponse({})


app = Starlette(routes=[Route("/v1/callbacks/{token}", _receive, methods=["POST"])], lifespan=_lifespan)


if __name__ == "__main__":
    Granian(
        f"{__spec__.name}:app",
        address="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        interface=Interfaces.ASGI,
        loop=Loops.uvloop,
        workers=1,
        log_access=False,
        log_level="error",
    ).serve()
