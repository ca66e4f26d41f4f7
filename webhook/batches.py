"""`/v1/batches`: many rows at once, as JSON or as a manifest; how they get on, and what one can do about it.

A manifest is streamed to the object store. The same content under the same name, with the same options, is the same
batch: handed in again it is answered with what it has come to.
"""

import asyncio
import hashlib
import json
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from webhook.body import Moment, read_body
from webhook.enrollments import GoalRequest, goal_of
from webhook.parts import parts_of, spooled, text_of
from webhook.room import ROOM, Room
from worker.contract import manifest
from worker.contract.buckets import is_bucket
from worker.enrollment.errors import RequestError
from worker.enrollment.states import BATCH
from worker.sources import Allowed
from worker.store import forgetting
from worker.store.batches import ENDED, RESTING, Batch, OnExisting, Plan, State, bounds, counters

_LIMIT = 4 * 1024 * 1024
_MOST_ROWS = 20_000
_CONTROL_LIMIT = 4_096
_PAGE, _LARGEST_PAGE = 20, 100
_ID_HEX = 20
_LONGEST_NAME = 100


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


class Bounds(_Wire):
    """How far to go for now."""

    until: Moment | None = None
    budget: Annotated[int, Field(ge=1)] | None = None


class Options(Bounds):
    """How the rows are to be dealt with."""

    name: Annotated[str, Field(max_length=_LONGEST_NAME)] = ""
    on_existing: OnExisting = OnExisting.AUGMENT
    goal: GoalRequest | None = None


class Rows(Options):
    """A batch in one piece of JSON."""

    rows: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=_MOST_ROWS)]


async def add(request: web.Request) -> web.Response:
    """`POST /v1/batches`: 202 and the batch; 200 if it is known."""
    room = request.app[ROOM]
    async with AsyncExitStack() as stack:
        match request.content_type:
            case "application/json":
                options, plan, path = await _named(request, room, stack)
            case "multipart/form-data":
                options, plan, path = await _uploaded(request, room, stack)
            case other:
                message = f"{other}: application/json or multipart/form-data is needed"
                raise RequestError("unsupported_media_type", message, status=415)
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


async def _named(request: web.Request, room: Room, stack: AsyncExitStack) -> tuple[Options, Plan, Path]:
    """Rows of a body of JSON, as a manifest of JSON lines."""
    wanted = Rows.model_validate_json(await read_body(request, limit=_LIMIT))
    content = "".join(json.dumps(row) + "\n" for row in wanted.rows).encode()
    path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="voxroll-"))) / "manifest"
    await asyncio.to_thread(path.write_bytes, content)
    sha256 = hashlib.sha256(content).hexdigest()
    return wanted, _plan(room, wanted, sha256=sha256, kind=manifest.JSONL, size=len(content)), path


async def _uploaded(request: web.Request, room: Room, stack: AsyncExitStack) -> tuple[Options, Plan, Path]:
    """A manifest as a part, and the options as parts of their own."""
    told: dict[str, Any] = {}
    found: tuple[Path, str, str] | None = None
    try:
        async for part in parts_of(request):
            match part.name:
                case "manifest" if found is None:
                    limit = room.settings.intake.max_bytes
                    path, sha256 = await stack.enter_async_context(spooled(request, part, limit=limit))
                    found = path, sha256, part.filename or ""
                case "quality" | "samples" as name:
                    told["goal"] = told.get("goal", {}) | {name: await text_of(request, part)}
                case str() as name if name != "manifest":
                    told[name] = await text_of(request, part)
                case _:
                    raise RequestError("invalid_request", "one part `manifest` with a file is needed", status=422)
    except ValueError as error:
        raise RequestError("invalid_request", "the multipart body can't be read", status=422) from error
    folder = _folder(told.pop("folder", ""))
    options = Options.model_validate(told)
    if found is None:
        raise RequestError("invalid_request", "no part `manifest` with a file in it", status=422)
    path, sha256, name = found
    kind = await asyncio.to_thread(manifest.kind_of, path, name=name or "manifest")
    size = path.stat().st_size
    made = _plan(room, options, sha256=sha256, kind=kind, size=size, folder=folder)
    return options, made if options.name else replace(made, name=_shown(name) or made.name), path


def _shown(filename: str) -> str:
    """What people call a manifest that was given no name; it tells batches apart for nobody else."""
    return "".join(one for one in filename if one.isprintable())[:_LONGEST_NAME].strip()


def _folder(text: str) -> str:
    if text and not Path(text).is_absolute() and not is_bucket(text):
        raise RequestError("invalid_request", "folder: an absolute path or one of a bucket is needed", status=422)
    return text


def _plan(room: Room, options: Options, *, sha256: str, kind: str, size: int, folder: str = "") -> Plan:  # noqa: PLR0913
    goal = goal_of(room, options.goal)
    same = [sha256, kind, options.name, options.on_existing, goal.quality, goal.samples, folder]
    allowed = Allowed.by(room.settings)
    return Plan(
        batch_id=BATCH + hashlib.sha256(json.dumps(same).encode()).hexdigest()[:_ID_HEX],
        name=options.name or sha256[:12],
        created_at=room.now(),
        kind=kind,
        size=size,
        sha256=sha256,
        folder=folder,
        roots=None if allowed.roots is None else tuple(map(str, allowed.roots)),
        buckets=allowed.buckets,
        on_existing=options.on_existing,
        goal=goal,
    )


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
