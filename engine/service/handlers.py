"""The contract's endpoints: read the request, have it done, write the answer. No rule lives here.

A POST or PATCH of an enrollment with `?webhook=`, and whatever is under `/async/`, is written down and answered 202
before anything is fetched or computed; else the answer is the result. Nothing is computed here: the work is a job.
"""

import asyncio
import math
import uuid
from dataclasses import replace

from aiohttp import web

from engine.service import oauth, openapi, wire
from engine.service.applying import not_enrolled
from engine.service.enroll import now_ms
from engine.service.enrollment import Ask, Verb
from engine.service.failure import RETRY_AFTER_S, ApiError, invalid
from engine.service.middleware import FACTS, whole_body
from engine.service.orders import Diarize, Identify, Order, Task
from engine.service.parts import PARTS
from engine.service.readiness import healthz, readyz
from engine.service.samples import listed

ENROLLMENTS = "/ai/audio/v1/enrollments"


async def create(request: web.Request) -> web.Response:
    """E1: enroll a speaker with a first sample."""
    sample = await _sample(request)
    return await _take(request, sample, verb=Verb.CREATE, speaker_id=sample.speaker_id or _given_id(request, sample))


async def add(request: web.Request) -> web.Response:
    """E4: add a sample. Answers 201, as the contract has it."""
    speaker_id = _path_id(request)
    sample = await _sample(request)
    if sample.speaker_id not in {None, speaker_id}:
        raise invalid(sample.parameter, f"the id in the path, {speaker_id}, or left out")
    return await _take(request, sample, verb=Verb.ADD, speaker_id=speaker_id)


async def get(request: web.Request) -> web.Response:
    """E3: how far an enrollment is."""
    speaker_id = _path_id(request)
    parts = request.app[PARTS]
    held = await parts.vault.look(speaker_id)
    if held.alive is None:
        raise not_enrolled(speaker_id, "speakerId")
    return web.json_response(parts.enroller.told(held.alive))


async def delete(request: web.Request) -> web.Response:
    """E5: erase an enrollment."""
    await request.app[PARTS].enroller.delete(_path_id(request), parameter="speakerId")
    return web.Response(status=204)


async def samples(request: web.Request) -> web.Response:
    """The samples of an enrollment, and whether each agrees with the others. Not in the contract."""
    speaker_id = _path_id(request)
    held = await request.app[PARTS].vault.get(speaker_id)
    if held.alive is None:
        raise not_enrolled(speaker_id, "speakerId")
    return web.json_response({"records": await asyncio.to_thread(listed, held)})


async def withdraw(request: web.Request) -> web.Response:
    """Take one sample out of an enrollment. Not in the contract. Answers what is left, 204 where nothing is."""
    speaker_id = _path_id(request)
    enroller = request.app[PARTS].enroller
    left = await enroller.withdraw(speaker_id, request.match_info["sample_id"], parameter="speakerId")
    return web.json_response(enroller.told(left)) if left is not None else web.Response(status=204)


async def listing(request: web.Request) -> web.Response:
    """E2: one page of all enrollments; an empty list has one page."""
    asked = wire.read_list(request.query)
    parts = request.app[PARTS]
    page = await parts.vault.page(asked.page, per_page=asked.per_page, complete_only=asked.complete_only)
    total_pages = max(1, math.ceil(page.total / asked.per_page))
    return web.json_response(
        {
            "paging": {"page": asked.page, "totalPages": total_pages, "perPage": asked.per_page},
            "records": [parts.enroller.told(enrollment) for enrollment in page.enrollments],
        }
    )


async def identify_now(request: web.Request) -> web.Response:
    """I0: who of the named speakers speaks when, in the answer itself."""
    task, media = await asyncio.to_thread(wire.read_sync_identify, await whole_body(request))
    if isinstance(media, str):
        raise _content_needed("/async/speaker-identify")
    await request.app[PARTS].recogniser.known(task.speaker_ids)
    return await _await(request, task, media, status=200)


async def identify(request: web.Request) -> web.Response:
    """I1: who of the named speakers speaks when."""
    return await _take_recording(request, *await asyncio.to_thread(wire.read_identify, await whole_body(request)))


async def diarize(request: web.Request) -> web.Response:
    """D1: who speaks when."""
    return await _take_recording(request, *await asyncio.to_thread(wire.read_diarize, await whole_body(request)))


async def job(request: web.Request) -> web.Response:
    """J1: how far a job is."""
    jobs = request.app[PARTS].jobs
    try:
        job_id = str(uuid.UUID(request.match_info["job_id"]))
    except ValueError as error:
        raise invalid("jobId", "a UUID") from error
    request[FACTS]["job_id"] = job_id
    found = await jobs.get(job_id)
    if found is None:
        raise ApiError(404, "unknown_job", f"there is no job {job_id} (any more)", parameter="jobId")
    return web.json_response(jobs.envelope(found))


async def described(_request: web.Request) -> web.Response:
    """The engine's own OpenAPI document."""
    return web.json_response(openapi.document())


async def _take(request: web.Request, sample: wire.SampleIn, *, verb: Verb, speaker_id: str) -> web.Response:
    """Apply a sample, now or later."""
    parts, facts = request.app[PARTS], request[FACTS]
    facts["speaker_id"] = speaker_id
    webhook, key = wire.read_webhook(request.query), wire.read_key(request.headers)
    ask = Ask(
        verb,
        speaker_id,
        key=f"request:{facts['request_id']}" if key is None else f"key:{key}",
        sha256=sample.sha256,
        asked_ms=now_ms(),
        parameter=sample.parameter,
    )
    done = await parts.enroller.judge(ask)
    if webhook is not None:
        return await _accept(request, ask, sample.media, webhook=webhook)
    if isinstance(sample.media, str):
        raise _content_needed("?webhook=")
    if done is not None:
        return web.json_response(parts.enroller.told(done), status=201)
    return await _await(request, ask, sample.media, status=201)


async def _take_recording(request: web.Request, task: Identify | Diarize, media: wire.Media) -> web.Response:
    """Answer 202, or 400 where a named speaker can't be told."""
    webhook = wire.read_webhook(request.query)
    await request.app[PARTS].recogniser.known(task.speaker_ids)
    return await _accept(request, task, media, webhook=webhook or "")


async def _accept(request: web.Request, task: Task, media: wire.Media, *, webhook: str) -> web.Response:
    """Answer 202 once what was asked is written down."""
    order = replace(_order(request, task), webhook=webhook)
    if isinstance(media, str):
        await request.app[PARTS].answers.accept(replace(order, content_uri=media), None)
    else:
        await request.app[PARTS].answers.accept(order, media)
    return web.json_response({"jobId": order.job_id}, status=202)


async def _await(request: web.Request, task: Task, audio: bytes, *, status: int) -> web.Response:
    """Answer once the work is done, with `status` if it could be."""
    order = replace(_order(request, task), awaited=True)
    done = await request.app[PARTS].answers.outcome(order, audio)
    if done.status == "Success":
        return web.json_response(done.response, status=status)
    request[FACTS]["error"] = str((done.response or {})["errors"][0]["message"]).partition(":")[0]
    headers = {"Retry-After": str(RETRY_AFTER_S)} if done.code == web.HTTPServiceUnavailable.status_code else {}
    return web.json_response(done.response, status=done.code or 500, headers=headers)


def _order(request: web.Request, task: Task) -> Order:
    facts = request[FACTS]
    facts["job_id"] = str(uuid.uuid4())
    return Order(
        job_id=facts["job_id"],
        task=task,
        asked_ms=task.asked_ms if isinstance(task, Ask) else now_ms(),
        api=request.path,
        request_id=facts["request_id"],
    )


def _given_id(request: web.Request, sample: wire.SampleIn) -> str:
    """An id for a speaker who has none: in 2022 the callback tells which; the same for a repeated key."""
    if request.app[PARTS].settings.profile != "2022" or wire.read_webhook(request.query) is None:
        raise invalid(sample.parameter, "given: the id of the speaker, of [a-zA-Z0-9_]")
    key = wire.read_key(request.headers)
    return (uuid.uuid4() if key is None else uuid.uuid5(uuid.NAMESPACE_URL, key)).hex


def _content_needed(alternative: str) -> ApiError:
    return invalid("content", f"the audio file in base64; a contentUri is fetched with {alternative} alone")


async def _sample(request: web.Request) -> wire.SampleIn:
    return await asyncio.to_thread(wire.read_sample, await whole_body(request))


def _path_id(request: web.Request) -> str:
    speaker_id = wire.read_id(request.match_info["speaker_id"], "speakerId")
    request[FACTS]["speaker_id"] = speaker_id
    return speaker_id


ROUTES = (
    web.post(ENROLLMENTS, create),
    web.get(ENROLLMENTS, listing),
    web.get(ENROLLMENTS + "/{speaker_id}", get),
    web.patch(ENROLLMENTS + "/{speaker_id}", add),
    web.delete(ENROLLMENTS + "/{speaker_id}", delete),
    web.get(ENROLLMENTS + "/{speaker_id}/samples", samples),
    web.delete(ENROLLMENTS + "/{speaker_id}/samples/{sample_id}", withdraw),
    web.post("/ai/audio/v1/speaker-identify", identify_now),
    web.post("/ai/audio/v1/async/speaker-identify", identify),
    web.post("/ai/audio/v1/async/speaker-diarize", diarize),
    web.get("/ai/status/v1/jobs/{job_id}", job),
    web.post("/restapi/oauth/token", oauth.token),
    web.post("/restapi/oauth/revoke", oauth.revoke),
    web.get("/healthz", healthz),
    web.get("/readyz", readyz),
    web.get("/openapi.json", described),
)
