"""`GET /v1/roster`: ids that identify and diarize take now, as many as one call may name."""

from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from webhook.room import ROOM
from worker.enrollment.record import Quality, Record, SpeakerId
from worker.intake import batch_of
from worker.store.listing import Wanted

_PAGES = 100  # looked through for one answer; whoever asks goes on at `next`


class Asked(BaseModel):
    """Whom to name."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)

    min_quality: Quality = Quality.POOR
    batch: str | None = None
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    cursor: Annotated[str, Field(min_length=1)] | None = None


async def roster(request: web.Request) -> web.Response:
    """`GET /v1/roster?minQuality=&batch=&limit=&cursor=`: complete enrollments, the longest unchanged first."""
    store, asked = request.app[ROOM].store, Asked.model_validate(dict(request.query))
    batch = batch_of(asked.batch) if asked.batch is not None else None
    wanted, ids, cursor = Wanted(batch=batch), list[SpeakerId](), asked.cursor
    for _ in range(_PAGES):
        page = await store.page(wanted, limit=asked.limit - len(ids), cursor=cursor, newest_first=False)
        ids += [one.speaker_id for one in page.records if is_sure(one, asked.min_quality)]
        cursor = page.next
        if cursor is None or len(ids) == asked.limit:
            break
    return web.json_response({"speakerIds": ids, "next": cursor})


def is_sure(record: Record, least: Quality) -> bool:
    """Whether identify takes the speaker now, at this quality or a better one."""
    known = record.enrollment
    return bool(
        known and known.complete and known.quality and known.quality.rank >= least.rank and not record.erased_at
    )
