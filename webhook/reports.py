"""What a batch came to, streamed: a report with one row per person, and the rows that may be tried again.

Persons come first, as they stand now; rows that were not taken follow, each with its line and its reason. A person who
changes meanwhile may be told twice, never left out.
"""

import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from aiohttp import web

from webhook.batches import known
from webhook.room import ROOM, Room
from worker.contract.rows import BadRow, Row
from worker.contract.speaker import speech_missing
from worker.enrollment.events import reason
from worker.enrollment.record import Record, SpeakerId
from worker.enrollment.states import SpeakerState, applied_count, is_goal_met, speaker_state
from worker.intake import MAY_PASS, may_pass
from worker.store.batches import Batch, Plan, State
from worker.store.listing import Wanted
from worker.store.manifests import Problem, source_of

_AT_ONCE = 200
_COLUMNS = ("speakerId", "state", "quality", "speechSeconds", "samples", "line", "ref", "reasons")


async def report_csv(request: web.Request) -> web.StreamResponse:
    """`GET /v1/batches/{batchId}/report.csv`."""
    batch = await known(request)
    answer = await _begun(request, "text/csv; charset=utf-8")
    await answer.write(_cells(_COLUMNS))
    async for row in _report(request.app[ROOM], batch):
        reasons = "; ".join(": ".join(filter(None, one.values())) for one in row["reasons"])
        cells = [row[name] for name in _COLUMNS[:-1]]
        await answer.write(_cells(["" if cell is None else cell for cell in cells] + [reasons]))
    return answer


async def report_jsonl(request: web.Request) -> web.StreamResponse:
    """`GET /v1/batches/{batchId}/report.jsonl`."""
    batch = await known(request)
    answer = await _begun(request, "application/jsonl")
    async for row in _report(request.app[ROOM], batch):
        await answer.write(_line(row))
    return answer


async def rerun_jsonl(request: web.Request) -> web.StreamResponse:
    """`GET /v1/batches/{batchId}/rerun.jsonl`: a manifest of the rows that can succeed if they are tried again."""
    batch = await known(request)
    answer = await _begun(request, "application/jsonl")
    async for row in _rerun(request.app[ROOM], batch):
        await answer.write(_line(row.told(source=source_of(row, batch.plan))))
    return answer


async def _begun(request: web.Request, content_type: str) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Type": content_type})
    await answer.prepare(request)
    return answer


async def _report(room: Room, batch: Batch) -> AsyncIterator[dict[str, Any]]:
    cursor: str | None = None
    wanted = Wanted(batch=batch.plan.batch_id)
    while True:
        page = await room.store.page(wanted, limit=_AT_ONCE, cursor=cursor, newest_first=False)
        for record in page.records:
            yield _person(record, batch.plan.batch_id)
        if page.next is None:
            break
        cursor = page.next
    async for problem in _told(room, room.manifests.problems(batch.plan.batch_id, before=batch.read)):
        yield {
            **dict.fromkeys(_COLUMNS),
            "speakerId": problem.speaker_id,
            "state": str(problem.fate),
            "line": problem.line,
            "ref": problem.ref,
            "reasons": [{"source": None, "code": problem.code, "message": problem.message}],
        }


async def _told(room: Room, problems: AsyncIterator[Problem]) -> AsyncIterator[Problem]:
    """Problems as they may be told: who was erased since is no longer named."""
    piece: list[Problem] = []
    async for problem in problems:
        piece.append(problem)
        if len(piece) == _AT_ONCE:
            for one in await _unnamed(room, piece):
                yield one
            piece = []
    for one in await _unnamed(room, piece):
        yield one


async def _unnamed(room: Room, problems: list[Problem]) -> list[Problem]:
    records = await room.store.many(list({SpeakerId(one.speaker_id) for one in problems if one.speaker_id}))
    erased = {name for name, record in records.items() if record.erased_at}
    return [one.without_name() if one.speaker_id in erased else one for one in problems]


def _person(record: Record, batch_id: str) -> dict[str, Any]:
    enrollment, state = record.enrollment, speaker_state(record)
    handed = [one.ref for sample in record.samples for one in sample.handed if one.batch == batch_id]
    told = [(sample.name, reason(sample)) for sample in record.samples]
    reasons = [{"source": name, "code": one.code, "message": one.message} for name, one in told if one and one.code]
    if state is SpeakerState.INCOMPLETE and (missing := speech_missing(record)):
        message = f"{missing}; hand in another recording"
        reasons.append({"source": None, "code": "speech_missing", "message": message})
    return {
        "speakerId": record.speaker_id,
        "state": str(state),
        "quality": enrollment.quality if enrollment else None,
        "speechSeconds": round(enrollment.speech_s, 2) if enrollment else 0.0,
        "samples": applied_count(record),
        "line": None,
        "ref": "; ".join(dict.fromkeys(filter(None, handed))) or None,
        "reasons": reasons,
    }


async def _rerun(room: Room, batch: Batch) -> AsyncIterator[Row]:
    """Rows that failed for a reason that may have passed, and those that a cancelled batch never came to."""
    problems = room.manifests.problems(batch.plan.batch_id, before=batch.read)
    problem = await anext(problems, None)
    number = 0
    async with room.manifests.opened(batch.plan) as pieces:
        while rows := await pieces.each(lambda row: (row, _place(row, batch.plan)), _AT_ONCE):
            ids = {SpeakerId(row.speaker_id) for row, _ in rows if isinstance(row, Row) and row.speaker_id}
            records = await room.store.many(list(ids))
            for row, place in rows:
                refused: Problem | None = None
                if problem and problem.number == number:
                    refused, problem = problem, await anext(problems, None)
                if isinstance(row, Row) and row.speaker_id and row.consent is not False and not row.rejected:
                    record = records.get(SpeakerId(row.speaker_id))
                    is_left = number >= batch.read and batch.state is State.CANCELLED
                    is_left &= record is None or record.erased_at is None
                    if is_left or _may_pass(row, place, refused, record):
                        yield row
                number += 1


def _may_pass(row: Row, place: str, refused: Problem | None, record: Record | None) -> bool:
    if record and (record.erased_at or is_goal_met(record)):
        return False
    if refused:
        return refused.code in MAY_PASS
    meant = (row.channel, row.stretch)
    samples = [one for one in record.samples if (one.channel, one.stretch) == meant] if record else []
    same = [one for one in samples if place in {one.source, one.source.rpartition("?")[0]}]
    return bool(same) and all(may_pass(one) for one in same)


def _place(row: Row | BadRow, plan: Plan) -> str:
    """What the source of a row's sample is, or begins with."""
    if isinstance(row, BadRow):
        return ""
    source = source_of(row, plan)
    try:
        parts = urlsplit(source)
        if parts.scheme in {"", "file"}:
            return Path(unquote(parts.path) if parts.scheme else source).resolve().as_uri()
    except (OSError, ValueError):
        return ""
    return source


def _cells(cells: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode("utf-8", "replace")


def _line(value: dict[str, Any]) -> bytes:
    return (json.dumps(value) + "\n").encode()
