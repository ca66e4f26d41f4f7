"""A provider that speaks the contract and honours no Idempotency-Key, as RingCentral.

A real HTTP server, told by the test how to answer, when to apply what it took, and which callbacks to send.
"""

import base64
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

Manner = Literal["accept", "accept_cut", "cut", "fail", "down"]
SECONDS = 15.0  # of audio in every sample
_SPEECH_S = 14.0


@dataclass(frozen=True, slots=True)
class Order:
    """A sample that was taken and will be applied later."""

    job_id: str
    speaker_id: str
    content: bytes
    create: bool
    webhook: str


@dataclass(slots=True)
class Provider:
    """What it has heard, what it still has to do, and the callbacks it has not sent."""

    manner: Manner = "accept"
    enrolled: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))
    orders: list[Order] = field(default_factory=list)
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    callbacks: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    knows_jobs: bool = True
    deleted: Counter[str] = field(default_factory=Counter)

    def app(self) -> web.Application:
        app = web.Application()
        path = "/ai/audio/v1/enrollments"
        app.add_routes(
            [
                web.post("/restapi/oauth/token", self._token),
                web.post(path, self._submit),
                web.patch(path + "/{speaker_id}", self._submit),
                web.get(path, self._list),
                web.delete(path + "/{speaker_id}", self._delete),
                web.get(path + "/{speaker_id}", self._get),
                web.get("/ai/status/v1/jobs/{job_id}", self._job),
            ]
        )
        return app

    def work(self, number: int) -> None:
        """Apply one of the samples that were taken, and write its callback."""
        order = self.orders.pop(number)
        exists = bool(self.enrolled[order.speaker_id])
        if exists == order.create:
            code = "enrollment_exists" if exists else "not_enrolled"
            result = {"status": "Fail", "response": {"errors": [{"errorCode": "CMN-1", "message": f"{code}: no"}]}}
        else:
            self.enrolled[order.speaker_id].append(order.content)
            result = {"status": "Success", "response": self.status(order.speaker_id)}
        self.results[order.job_id] = result
        self.callbacks.append((order.webhook, {"jobId": order.job_id, **result}))

    def status(self, speaker_id: str) -> dict[str, Any]:
        heard = len(self.enrolled[speaker_id])
        return {
            "speakerId": speaker_id,
            "enrollmentComplete": heard > 0,
            "totalSpeechDuration": _SPEECH_S * heard,
            "totalEnrollDuration": SECONDS * heard,
            "enrollmentQuality": "Average",
        }

    async def _token(self, _request: web.Request) -> web.Response:
        return web.json_response({"access_token": "t", "expires_in": 3600, "scope": "AI"})

    async def _submit(self, request: web.Request) -> web.Response:
        body = await request.json()
        create = request.method == "POST"
        speaker_id = body["speakerId"] if create else request.match_info["speaker_id"]
        manner = self.manner
        if manner == "down":
            return web.Response(status=503)
        if manner == "fail":
            return web.Response(status=500)
        exists = bool(self.enrolled[speaker_id])
        if manner != "cut" and exists == create:
            return web.json_response({"errors": []}, status=409 if exists else 404)
        order = Order(
            str(uuid.uuid4()), speaker_id, base64.b64decode(body["content"]), create, request.query["webhook"]
        )
        if manner != "cut":
            self.orders.append(order)
        if manner in {"accept_cut", "cut"}:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"jobId": order.job_id}, status=202)

    async def _get(self, request: web.Request) -> web.Response:
        speaker_id = request.match_info["speaker_id"]
        if not self.enrolled[speaker_id]:
            return web.json_response({"errors": []}, status=404)
        return web.json_response(self.status(speaker_id))

    async def _list(self, request: web.Request) -> web.Response:
        known = [speaker_id for speaker_id, heard in self.enrolled.items() if heard]
        page, size = int(request.query.get("page", "1")), int(request.query.get("perPage", "100"))
        shown = known[(page - 1) * size : page * size]
        paging = {"page": page, "totalPages": max(1, -(-len(known) // size)), "perPage": size}
        return web.json_response({"paging": paging, "records": [self.status(one) for one in shown]})

    async def _delete(self, request: web.Request) -> web.Response:
        manner = self.manner
        if manner in {"down", "fail"}:
            return web.Response(status=503 if manner == "down" else 500)
        if manner == "cut":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        heard = self.enrolled.pop(request.match_info["speaker_id"], [])
        self.deleted[request.match_info["speaker_id"]] += bool(heard)
        if manner == "accept_cut":
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=204 if heard else 404)

    async def _job(self, request: web.Request) -> web.Response:
        job_id = request.match_info["job_id"]
        if not self.knows_jobs or (job_id not in self.results and all(one.job_id != job_id for one in self.orders)):
            return web.json_response({"errors": []}, status=404)
        return web.json_response({"jobId": job_id, **self.results.get(job_id, {"status": "InProgress"})})
