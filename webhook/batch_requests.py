"""What is handed in as a batch: a body of JSON, or a manifest as a file, becomes options, a plan and a file.

Either is streamed or written to a folder that lasts as long as the request. The id of a batch is made of its content,
its name and its options.
"""

import asyncio
import hashlib
import json
import tempfile
from contextlib import AsyncExitStack
from dataclasses import replace
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
from worker.store.batches import OnExisting, Plan

_LIMIT = 4 * 1024 * 1024
_MOST_ROWS = 20_000
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


async def read_batch(request: web.Request, stack: AsyncExitStack) -> tuple[Options, Plan, Path]:
    """Read the body; the file is there until `stack` is closed.

    Raises:
        RequestError: `unsupported_media_type`, `invalid_request`.
    """
    match request.content_type:
        case "application/json":
            return await _named(request, stack)
        case "multipart/form-data":
            return await _uploaded(request, stack)
        case other:
            message = f"{other}: application/json or multipart/form-data is needed"
            raise RequestError("unsupported_media_type", message, status=415)


async def _named(request: web.Request, stack: AsyncExitStack) -> tuple[Options, Plan, Path]:
    """Rows of a body of JSON, as a manifest of JSON lines."""
    wanted = Rows.model_validate_json(await read_body(request, limit=_LIMIT))
    content = "".join(json.dumps(row) + "\n" for row in wanted.rows).encode()
    path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="voxroll-"))) / "manifest"
    await asyncio.to_thread(path.write_bytes, content)
    sha256 = hashlib.sha256(content).hexdigest()
    return wanted, _plan(request.app[ROOM], wanted, sha256=sha256, kind=manifest.JSONL, size=len(content)), path


async def _uploaded(request: web.Request, stack: AsyncExitStack) -> tuple[Options, Plan, Path]:
    """A manifest as a part, and the options as parts of their own."""
    told: dict[str, Any] = {}
    found: tuple[Path, str, str] | None = None
    try:
        async for part in parts_of(request):
            match part.name:
                case "manifest" if found is None:
                    limit = request.app[ROOM].settings.intake.max_bytes
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
    made = _plan(request.app[ROOM], options, sha256=sha256, kind=kind, size=size, folder=folder)
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
