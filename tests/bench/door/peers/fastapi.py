"""FastAPI on uvicorn, with uvloop and httptools."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn  # type: ignore[import-not-found]  # lives in the peer's environment
from fastapi import FastAPI, Request  # type: ignore[import-not-found]  # the same

from tests.bench.door.peers.work import Work


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.work = Work()
    yield


app = FastAPI(lifespan=_lifespan)


@app.post("/v1/callbacks/{token}")  # type: ignore[untyped-decorator]  # the same
async def receive(token: str, request: Request) -> dict[str, str]:
    """One callback."""
    await request.app.state.work.take(token, await request.body(), request.headers.raw)
    return {}


if __name__ == "__main__":
    port = int(os.environ["BENCH_PORT"])
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", access_log=False, log_level="error")
