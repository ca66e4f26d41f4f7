"""The short way in: a callback goes straight to its receiver, everything else to the application.

Routing and middlewares cost as much as verifying does. The application has a route for callbacks too, which takes those
that are unusual (a query, an escaped path, `Expect`); both ways end in the same function.
"""

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from webhook.problems import answered
from webhook.receiver import Receiver
from webhook.room import ROOM

_PATH = "/v1/callbacks/"
_Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def put_in_front(runner: web.AppRunner) -> None:
    """Let the server of a runner that is set up ask here first."""
    if runner.server is None:
        raise RuntimeError("the runner is not set up")
    runner.server.request_handler = _short_way(runner.app[ROOM].receiver, otherwise=runner.server.request_handler)


def _short_way(receiver: Receiver, *, otherwise: _Handler) -> _Handler:
    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await (answered(request, receiver.receive) if _is_plain(request) else otherwise(request))

    return handle


def _is_plain(request: web.BaseRequest) -> bool:
    path = request.raw_path
    return (
        request.method == hdrs.METH_POST
        and path.startswith(_PATH)
        and "/" not in path[len(_PATH) :]
        and "?" not in path
        and "%" not in path
        and hdrs.EXPECT not in request.headers
    )
