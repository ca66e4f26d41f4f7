"""The callbacks over HTTP: webhookUrl itself, and the journal: a page of it, one with its body, one once more."""

import base64
from typing import Annotated, Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from webhook.room import ROOM
from worker.enrollment.errors import RequestError
from worker.store.journal import ACCEPTED, Callback, Journal

_PAGE = 500
_PAGES = 20  # looked through for one answer; whoever filters goes on at `next`


class Wanted(BaseModel):
    """Which callbacks to list. A verdict other than `accepted` is one of the refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    speaker: str | None = None
    verdict: str | None = None
    refused: bool = False
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    before: str | None = None

    @property
    def among_refused(self) -> bool:
        """Accepted and refused callbacks are kept apart."""
        return self.refused or self.verdict not in {None, ACCEPTED}

    @property
    def page(self) -> int:
        """How many to read at a time."""
        return _PAGE if self.speaker or self.verdict else self.limit

    def fits(self, callback: Callback) -> bool:
        """Whether it is one of those."""
        return self.speaker in {None, callback.speaker_id} and self.verdict in {None, callback.verdict}


async def receive(request: web.Request) -> web.StreamResponse:
    """`POST /v1/callbacks/{callbackId}`, which is the token of an attempt."""
    return await request.app[ROOM].receiver.receive(request)


async def page(request: web.Request) -> web.Response:
    """`GET /v1/callbacks?speaker=&verdict=&refused=&limit=&before=`: newest first; `next` goes into `before`."""
    wanted = Wanted.model_validate(dict(request.query))
    found, after = await _found(request.app[ROOM].journal, wanted)
    return web.json_response({"callbacks": [_head(callback) for callback in found], "next": after})


async def one(request: web.Request) -> web.Response:
    """`GET /v1/callbacks/{callbackId}`: with headers and body."""
    callback = await _known(request)
    return web.json_response(_head(callback) | _content(callback))


async def replay(request: web.Request) -> web.Response:
    """`POST /v1/callbacks/{callbackId}/replay`: have the same bytes reconciled anew."""
    room, callback = request.app[ROOM], await _known(request)
    if not callback.is_accepted:
        message = f"{callback.callback_id} was refused ({callback.verdict}): only what was accepted can be replayed"
        raise RequestError("callback_refused", message, status=409)
    await room.queue.put([room.journal.replay(callback.callback_id)])
    return web.json_response(_head(callback), status=202)


async def _known(request: web.Request) -> Callback:
    callback_id = request.match_info["callback_id"]
    callback = await request.app[ROOM].journal.get(callback_id)
    if callback is None:
        message = f"{callback_id[:50]}: no such callback in the journal, or its time is over"
        raise RequestError("callback_unknown", message, status=404)
    return callback


async def _found(journal: Journal, wanted: Wanted) -> tuple[list[Callback], str | None]:
    found, before = list[Callback](), wanted.before
    for _ in range(_PAGES):
        some = await journal.page(before=before, limit=wanted.page, refused=wanted.among_refused)
        for callback in some:
            before = callback.callback_id
            found += [callback] if wanted.fits(callback) else []
            if len(found) == wanted.limit:
                return found, before
        if len(some) < wanted.page:
            return found, None
    return found, before


def _head(callback: Callback) -> dict[str, Any]:
    return {
        "callbackId": callback.callback_id,
        "receivedAt": callback.received_at.isoformat(),
        "verdict": callback.verdict,
        "speakerId": callback.speaker_id,
        "recordingId": callback.recording_id,
        "attemptId": callback.attempt_id,
        "bodyBytes": callback.body_bytes,
    }


def _content(callback: Callback) -> dict[str, Any]:
    """Headers and body; the bytes as they came are in `bodyBase64`, `body` is for reading."""
    return {
        "headers": callback.headers,
        "body": callback.body.decode(errors="replace"),
        "bodyBase64": base64.b64encode(callback.body).decode(),
    }
