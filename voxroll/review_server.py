"""The page of a review over HTTP, for this machine alone.

Whoever knows the token in the address may look, listen and decide: other pages that are open in the browser don't know
it, and what they post besides is told by its Origin. The plan is read anew for each request, and each decision is
written before it is answered. A page may name lines of the plan, never a file. There is no log of requests: addresses
hold the token.
"""

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from aiohttp import web

from engine.voice.apart import DecoderError, Decoders
from engine.voice.failure import VoiceFailure
from engine.voice.voiceprint import COMPLETE_FROM_S
from voxroll import plan_file, review_page
from voxroll.asked import Asked, of_row
from voxroll.checking import Verdict
from voxroll.failure import CommandError
from voxroll.plan_file import Entry
from voxroll.review_frame import POLICY
from voxroll.reviewing import SHOWN, Review
from worker.contract.fields import FieldError, Stretch, stretch_of

_LONGEST_S = 120.0  # of sound at one time: 11 MB of 48 kHz
_AT_ONCE = 2  # stretches that are cut
_MOST_BYTES = 1 << 20  # of a request: a person has hundreds of recordings at most
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_STATUS = {"unknown": 404, "foreign_origin": 403, "plan_changed": 409, "unreadable_plan": 503, "plan_unwritten": 503}
_SAID = {"accept": "accepted", "reject": "rejected", "undo": "open again"}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Reviewing:
    """What the page works with.

    Attributes:
        plan: the file.
        token: that the address holds.
        judge: judges a recording by the rules that the worker applies; blocks.
        decoders: who cut.
        now: the clock.
    """

    plan: Path
    token: str
    judge: Callable[[Asked], Verdict]
    decoders: Decoders
    now: Callable[[], datetime]
    _read: list[Entry] = field(default_factory=list)  # as it was last time

    def app(self) -> web.Application:
        """The application."""
        app = web.Application(client_max_size=_MOST_BYTES, middlewares=[self._guarded])
        app.add_routes(
            [
                web.get("/{token}/", self._page),
                web.get("/{token}/sound/{line:[0-9]{1,9}}", partial(self._sound, asyncio.Semaphore(_AT_ONCE))),
                web.post("/{token}/decide", partial(self._decide, asyncio.Lock())),
            ]
        )
        return app

    @web.middleware
    async def _guarded(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        try:
            self._check(request)
            answer = await handler(request)
        except (web.HTTPException, CommandError, FieldError, VoiceFailure, OSError, DecoderError) as error:
            answer = _refused(error)
        answer.headers.update(_HEADERS)
        return answer

    def _check(self, request: web.Request) -> None:
        """Refuse whoever doesn't know the token, or comes from another page.

        Raises:
            CommandError: `unknown`, `foreign_origin`.
        """
        token = request.match_info.get("token", "")
        if not hmac.compare_digest(token.encode("utf-8", "replace"), self.token.encode()):
            raise CommandError("unknown", "there is nothing here; take the address that was printed")
        port = request.transport.get_extra_info("sockname")[1] if request.transport else 0
        own = {f"http://{name}:{port}" for name in ("127.0.0.1", "localhost")}
        here = f"http://{request.host}"
        if here not in own or request.headers.get("Origin", here) not in own:
            raise CommandError("foreign_origin", "this was asked by another page, which may not")
        if request.method == "POST" and (request.content_type != "application/json" or "Origin" not in request.headers):
            raise CommandError("foreign_origin", "the page itself may decide alone, in JSON")

    async def _page(self, request: web.Request) -> web.Response:
        review = await asyncio.to_thread(self.review)
        show, find = request.query.get("show", "doubtful"), request.query.get("find", "").strip()
        asked = request.query.get("page", "")
        number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 0  # noqa: PLR2004
        if not number:
            number = review.first_open() // SHOWN + 1 if show == "doubtful" and not find else 1
        page = partial(review_page.page, review, name=self.plan.name, show=show, find=find, number=number)
        text = await asyncio.to_thread(page)
        return web.Response(text=text, content_type="text/html")

    def review(self) -> Review:
        """The plan as it is now.

        Raises:
            CommandError: `unreadable_plan`.
        """
        try:
            entries = plan_file.read(self.plan, known=self._read)
        except OSError as error:
            raise CommandError("unreadable_plan", f"{self.plan.name}: {error.strerror}; put it back") from error
        self._read[:] = entries
        return Review(entries)

    async def _sound(self, places: asyncio.Semaphore, request: web.Request) -> web.Response:
        entry = await self._entry(int(request.match_info["line"]), request.query.get("is", ""))
        stretch = _stretch(request.query)
        if stretch.end_s is None or stretch.end_s - stretch.start_s > _LONGEST_S:
            raise CommandError("stretch_invalid", f"{_LONGEST_S:g} s are played at a time; name an end so near")
        asked = self._asked(entry, stretch, request.query)
        cut = partial(
            self.decoders.cut, asked.file, start_s=stretch.start_s, end_s=stretch.end_s, channel=asked.channel
        )
        async with places:
            return web.Response(body=await asyncio.to_thread(cut), content_type="audio/wav")

    async def _decide(self, measuring: asyncio.Lock, request: web.Request) -> web.Response:
        said = await _json(request)
        rows = _rows(said.get("rows"))
        at, decision = self.now(), said.get("decision")
        told = ""
        how: Callable[[dict[str, Any]], dict[str, Any]]
        match decision:
            case "accept":
                how = partial(plan_file.accepted, at=at)
            case "reject":
                how = partial(plan_file.rejected, at=at)
            case "undo":
                how = plan_file.original
            case "move" if len(rows) == 1:
                async with measuring:
                    how, told = await self._moved(rows[0], said)
            case _:
                raise CommandError("bad_request", "a decision is accept, reject or undo, or move of one row")
        try:
            changed = await asyncio.to_thread(plan_file.change, self.plan, rows, how)
        except OSError as error:
            message = f"{self.plan.name}: {error.strerror}; nothing was decided"
            raise CommandError("plan_unwritten", message) from error
        review = await asyncio.to_thread(self.review)
        left = f"{review.speech_s(changed[0].speaker_id):.1f} s of speech in all that is left"
        cards = [review_page.card(entry) for entry in changed]
        said_to = f"{told or _SAID[str(decision)]}; {left}, {COMPLETE_FROM_S:g} s make an enrollment complete"
        return web.json_response({"cards": cards, "sums": review.sums(), "said": said_to})

    async def _moved(
        self, row: tuple[int, str], said: dict[str, Any]
    ) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], str]:
        """How a row is moved, and what was found there; a stretch that will not do is refused as the worker would."""
        entry, stretch = await self._entry(*row), _stretch(said)
        verdict = await asyncio.to_thread(self.judge, self._asked(entry, stretch, said))
        if verdict.refusal:
            raise verdict.refusal
        window = verdict.windows[0]
        told = f"moved: {window.measures.speech_s:.1f} s of speech from {window.start_s:.1f} to {window.end_s:.1f} s"
        return partial(plan_file.moved, window=window, to=stretch, at=self.now()), told

    async def _entry(self, line: int, is_: str) -> Entry:
        """A line that still is what the page has seen of it."""
        review = await asyncio.to_thread(self.review)
        entry = next((one for one in review.entries if one.line == line), None)
        if entry is None or entry.is_ != is_:
            message = f"line {line} of {self.plan.name} was changed by something else; load the page again"
            raise CommandError("plan_changed", message)
        return entry

    def _asked(self, entry: Entry, stretch: Stretch, said: Any) -> Asked:
        """The recording of a line, in which a stretch is meant, on the channel that was named or found."""
        row = entry.row()
        if row is None:
            raise CommandError("line_unknown", f"line {entry.line} of {self.plan.name} names no one recording")
        asked = of_row(self.plan, row)
        if asked.refusal:
            raise asked.refusal
        channel = said.get("channel", entry.sample.get("channel"))
        if channel is not None and not (str(channel).isascii() and str(channel).isdigit() and len(str(channel)) < 4):  # noqa: PLR2004
            raise CommandError("channel_invalid", "a channel is a number from 0")
        where = row.channel if channel is None else int(channel)
        return Asked(file=asked.file, line=asked.line, channel=where, stretch=stretch, speaker_id=asked.speaker_id)


def _stretch(said: Any) -> Stretch:
    return stretch_of(said.get("start"), said.get("end"))


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        said = json.loads(await request.read())
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise CommandError("bad_request", "that is no JSON object")
    return said


def _rows(said: Any) -> list[tuple[int, str]]:
    """Lines, and what the page has seen of each."""
    try:
        rows = [(one["line"], one["is"]) for one in said]
    except (TypeError, KeyError):
        rows = []
    is_well = all(type(line) is int and isinstance(is_, str) for line, is_ in rows)
    if not rows or not is_well or len(dict(rows)) < len(rows):
        raise CommandError("bad_request", "`rows` lists lines of the plan, each once: {line, is}")
    return rows


def _refused(error: Exception) -> web.Response:
    match error:
        case CommandError() | VoiceFailure():
            code, message = error.code, error.message
        case FieldError():
            code, message = "stretch_invalid", f"{error.field}: {error.reason}"
        case web.HTTPException():
            return web.json_response({"code": "unknown", "message": error.reason}, status=error.status)
        case FileNotFoundError():
            code, message = "not_found", "there is no such file any more; put it back, or reject the row"
        case _:
            why = error.strerror if isinstance(error, OSError) else error
            code, message = "unreadable_source", f"{why}; let it be read by who runs this"
    return web.json_response({"code": code, "message": message}, status=_STATUS.get(code, 422))
