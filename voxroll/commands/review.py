"""`voxroll review`: a page on this machine to listen to whom a plan doubts, and to decide; `run` heeds it."""

import asyncio
import json
import secrets
import signal
import sys
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from config.settings import load
from voxroll.commands.check import judging
from voxroll.failure import CommandError, Exit
from voxroll.show import JsonOption, err, out

if TYPE_CHECKING:  # onnxruntime: only this command pays for it, when it runs
    from voxroll.asked import Asked
    from voxroll.checking import Judge, Verdict
    from voxroll.review_server import Reviewing

_END_S = 2.0


def review(
    plan: Annotated[Path, typer.Argument(metavar="PLAN", help="The plan.jsonl that `voxroll plan` wrote.")],
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page on 127.0.0.1; 0: any free one.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Serve a page that plays whom a plan doubts; accept, reject or move each stretch, and `voxroll run` heeds it.

    Open the address that is printed in a browser on this machine; whoever has it may decide. Every decision is in the
    plan at once. Ctrl-C ends it.
    """
    if not plan.is_file():
        message = f"{plan} does not exist; `voxroll plan` writes one"
        raise CommandError("file_not_found", message, exit_code=Exit.USAGE)
    from engine.voice.apart import Decoders  # noqa: PLC0415
    from voxroll.review_server import Reviewing  # noqa: PLC0415

    with ExitStack() as stack:
        judge = _Judging(stack)
        reviewing = Reviewing(
            plan=plan.absolute(),
            token=secrets.token_urlsafe(24),
            judge=judge.one,
            decoders=stack.enter_context(Decoders()),
            now=lambda: datetime.now(UTC),
        )
        if not reviewing.review().entries:
            message = f"{plan} has no rows of a plan in it; `voxroll plan` writes one"
            raise CommandError("no_plan", message, exit_code=Exit.NOTHING)
        asyncio.run(_serve(reviewing, port, as_json=as_json))
        told = reviewing.review().sums()
    err.print(f"{escape(told)}; `voxroll run {escape(str(plan))}` heeds it", soft_wrap=True)


class _Judging:
    """Judges one recording at a time; the models are loaded for the first one."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._lock = threading.Lock()
        self._judge: Judge | None = None

    def one(self, asked: "Asked") -> "Verdict":
        with self._lock:
            if self._judge is None:
                self._judge = self._stack.enter_context(judging(load()))
            return self._judge.one(asked)


async def _serve(reviewing: "Reviewing", port: int, *, as_json: bool) -> None:
    """Serve until a signal says that it is enough."""
    from aiohttp import web  # noqa: PLC0415

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(reviewing.app(), access_log=None, shutdown_timeout=_END_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        try:
            await site.start()
        except OSError as error:
            raise CommandError("port_in_use", f"127.0.0.1:{port}: {error.strerror}; give another --port") from error
        found = runner.addresses[0][1]
        _tell(f"http://127.0.0.1:{found}/{reviewing.token}/", reviewing, as_json=as_json)
        await stop.wait()
    finally:
        await runner.cleanup()


def _tell(url: str, reviewing: "Reviewing", *, as_json: bool) -> None:
    found = reviewing.review()
    if as_json:
        sys.stdout.write(json.dumps({"url": url, "plan": str(reviewing.plan), **found.counts()}) + "\n")
        sys.stdout.flush()
        return
    out.print(escape(url), soft_wrap=True)
    err.print(f"{found.sums()}; open the address in a browser, Ctrl-C ends it")
