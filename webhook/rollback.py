"""`/v1/batches/{batchId}:rollback`: undo a batch, and what that would come to before it is done."""

import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from webhook.batches import document_of, known
from webhook.room import ROOM, Room
from worker.enrollment.errors import RequestError
from worker.enrollment.undoing import undoing, undone
from worker.store.batches import ENDED, Batch, State
from worker.store.listing import Wanted

_AT_ONCE = 200


async def rollback(request: web.Request) -> web.Response:
    """`POST /v1/batches/{batchId}:rollback`: what it handed in counts no more; 202, as its leader sees to it."""
    room = request.app[ROOM]
    while True:
        found = _at_rest(await known(request))
        is_begun = found.state in {State.ROLLING_BACK, State.ROLLED_BACK}
        if is_begun or await room.batches.turn(found, State.ROLLING_BACK, at=room.now(), why="by hand"):
            return web.json_response(await document_of(room, await known(request)), status=202)


async def preview(request: web.Request) -> web.StreamResponse:
    """`GET /v1/batches/{batchId}/rollback.jsonl`: what it would come to, a line for each speaker."""
    room, batch = request.app[ROOM], await known(request)
    answer = web.StreamResponse(headers={"Content-Type": "application/jsonl"})
    await answer.prepare(request)
    async for line in _lines(room, batch):
        await answer.write((json.dumps(line) + "\n").encode())
    return answer


def _at_rest(batch: Batch) -> Batch:
    if batch.state in ENDED or batch.state is State.ROLLING_BACK:
        return batch
    path = f"/v1/batches/{batch.plan.batch_id}:cancel"
    raise RequestError(
        "batch_running", f"it is {batch.state}; cancel it first (POST {path}), and let it end", status=409
    )


async def _lines(room: Room, batch: Batch) -> AsyncIterator[dict[str, Any]]:
    cursor: str | None = ""
    wanted, batch_id = Wanted(batch=batch.plan.batch_id), batch.plan.batch_id
    while cursor is not None:
        page = await room.store.page(wanted, limit=_AT_ONCE, cursor=cursor or None, newest_first=False)
        for record in page.records:
            found = undoing(record, undone(record, batch_id, since=room.now()))
            calls = {"fewest": found.fewest, "most": found.most}
            told = {"speakerId": record.speaker_id, "outcome": str(found.outcome), "samples": found.samples}
            yield told | {"calls": calls}
        cursor = page.next
