"""`/v1/batches`: many rows at once, as JSON or as a manifest; how they get on, and what one can do about it.

A manifest is streamed to the object store. The same content under the same name, with the same options, is the same
batch: handed in again it is answered with what it has come to.
"""

from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

from aiohttp import web

from webhook.batch_requests import Bounds, read_batch
from webhook.body import read_body
from webhook.room import ROOM, Room
from worker.enrollment.errors import RequestError
from worker.store import forgetting
from worker.store.batches import ENDED, RESTING, Batch, State, bounds, counters

_CONTROL_LIMIT = 4_096
_PAGE, _LARGEST_PAGE = 20, 100


async def add(request: web.Request) -> web.Response:
    """`POST /v1/batches`: 202 and the batch; 200 if it is known."""
    room = request.app[ROOM]
    async with AsyncExitStack() as stack:
        options, plan, path = await read_batch(request, stack)
        if await room.batches.get(plan.batch_id) is None:
            await room.manifests.put(plan.batch_id, path)
        is_new = await room.batches.add(plan, until=options.until, budget=options.budget)
    document = await document_of(room, await _batch(room, plan.batch_id))
    headers = {"Location": f"/v1/batches/{plan.batch_id}"}
    return web.json_response(document, status=202 if is_new else 200, headers=headers)


async def page(request: web.Request) -> web.Response:
    """`GET /v1/batches`: the newest first. Query: `limit`, `cursor`."""
    room, query = request.app[ROOM], request.query
    limit, offset = _number(query.get("limit", str(_PAGE)), "limit"), _number(query.get("cursor", "0"), "cursor")
    if not 1 <= limit <= _LARGEST_PAGE:
        raise RequestError("invalid_request", f"limit: a number from 1 to {_LARGEST_PAGE} is needed", status=422)
    found = await room.batches.page(limit=limit + 1, offset=offset)
    shown = [await document_of(room, one) for one in found[:limit] if isinstance(one, Batch)]
    return web.json_response({"batches": shown, "next": str(offset + limit) if len(found) > limit else None})


async def one(request: web.Request) -> web.Response:
    """`GET /v1/batches/{batchId}`."""
    room = request.app[ROOM]
    return web.json_response(await document_of(room, await known(request)))


async def pause(request: web.Request) -> web.Response:
    """`POST /v1/batches/{batchId}:pause`: no more rows are taken in; what is under way goes on."""
    return await _turn(request, State.PAUSED, unless=RESTING, why="by hand")


async def cancel(request: web.Request) -> web.Response:
    """`POST /v1/batches/{batchId}:cancel`: no more rows are taken in, ever; ends once what is under way is settled."""
    return await _turn(request, State.CANCELLING, unless=frozenset({State.CANCELLING}), why="by hand")


async def forget(request: web.Request) -> web.Response:
    """`DELETE /v1/batches/{batchId}`: its manifest, its problems and its counters go; its speakers stay."""
    room, found = request.app[ROOM], await known(request)
    if found.state not in ENDED:
        message = f"it is {found.state}; cancel it, and delete it once it is cancelled"
        raise RequestError("batch_working", message, status=409)
    await forgetting.forget(room.batches, room.manifests, found.plan.batch_id)
    return web.Response(status=204)


async def resume(request: web.Request) -> web.Response:
    """`POST /v1/batches/{batchId}:resume`: goes on where it stopped, with `until` and `budget` of the body, if any."""
    room = request.app[ROOM]
    wanted = Bounds.model_validate_json(await read_body(request, limit=_CONTROL_LIMIT) or b"{}")
    while True:
        found = _going(await known(request))
        if found.state is State.CANCELLING:
            raise RequestError("batch_ended", "it is being cancelled; hand the rest in anew", status=409)
        onward = State.VALIDATING if found.total is None else State.IN_PROGRESS
        if await room.batches.turn(found, onward, at=room.now(), **bounds(wanted.until, wanted.budget)):
            return web.json_response(await document_of(room, await known(request)), status=202)


async def known(request: web.Request) -> Batch:
    """The batch that a request names.

    Raises:
        RequestError: `batch_unknown`.
    """
    return await _batch(request.app[ROOM], request.match_info["batch_id"])


async def _batch(room: Room, batch_id: str) -> Batch:
    found = await room.batches.get(batch_id)
    if found is None:
        raise RequestError("batch_unknown", f"{batch_id[:50]}: no such batch", status=404)
    return found


async def _turn(request: web.Request, to: State, *, unless: frozenset[State], why: str) -> web.Response:
    room = request.app[ROOM]
    while True:
        found = _going(await known(request))
        if found.state is State.CANCELLING and to is State.PAUSED:
            raise RequestError("batch_ended", "it is being cancelled", status=409)
        if found.state in unless or await room.batches.turn(found, to, at=room.now(), why=why):
            return web.json_response(await document_of(room, await known(request)), status=202)


def _going(batch: Batch) -> Batch:
    if batch.state in ENDED or batch.state is State.ROLLING_BACK:
        message = f"it is {batch.state}; GET /v1/batches/{batch.plan.batch_id}/rerun.jsonl has what may be tried again"
        raise RequestError("batch_ended", message, status=409)
    return batch


async def document_of(room: Room, batch: Batch) -> dict[str, Any]:
    """A batch as it is told."""
    plan = batch.plan
    speakers = await room.store.counts(batch=plan.batch_id)
    return {
        "batchId": plan.batch_id,
        "name": plan.name,
        "state": str(batch.state),
        "why": batch.why or None,
        "createdAt": plan.created_at.isoformat(),
        "changedAt": batch.changed_at.isoformat(),
        "onExisting": str(plan.on_existing),
        "goal": {"quality": str(plan.goal.quality), "samples": plan.goal.samples},
        "until": _iso(batch.until),
        "budget": batch.budget,
        "manifest": {"kind": plan.kind.removeprefix("."), "bytes": plan.size, "sha256": plan.sha256},
        **counters(batch, speakers),
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):  # noqa: PLR2004 -- digits
        raise RequestError("invalid_request", f"{name}: a number is needed", status=422)
    return int(text)
