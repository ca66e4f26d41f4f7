"""The client of the speaker-enrollment API: RingCentral's contract, whoever speaks it.

Every call has leave of the governor. What comes back is one of a few plain replies; aiohttp's errors end here. A call
that may have been applied without our hearing of it is `Doubtful`, never repeated here.
"""

import base64
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from config.settings import Api
from worker.api.bounded import read_bounded
from worker.api.governor import Governor
from worker.api.token import TokenSource
from worker.contract.callback import EnrollmentStatus, Envelope, ErrorBody
from worker.enrollment.errors import RetryLaterError

_ENROLLMENTS = "/ai/audio/v1/enrollments"
_LARGEST_ANSWER = 1_048_576
_Model = TypeVar("_Model", bound=BaseModel)
_WITHDRAWN = "the API has no enrollments (404 on the collection); set VOXROLL_API_BASE_URL to the embedded engine"


@dataclass(frozen=True, slots=True)
class Applied:
    """The sample counts; this is the enrollment now."""

    status: EnrollmentStatus


@dataclass(frozen=True, slots=True)
class Accepted:
    """The result will come by callback."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The API looked at the sample and won't have it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class NotApplied:
    """Certainly nothing happened; it may be tried again."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """It may have been applied or not."""

    code: str
    message: str


Reply = Applied | Accepted | Refused | NotApplied | Doubtful


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes


class _JobAccepted(BaseModel):
    jobId: str  # noqa: N815 -- wire name


class EnrollmentApi:
    """Calls of the contract."""

    def __init__(self, http: aiohttp.ClientSession, *, api: Api, token: TokenSource, governor: Governor) -> None:
        self._http = http
        self._api = api
        self._token = token
        self._governor = governor

    async def reserve(self) -> None:
        """Take leave for the next `submit`, before anything is written down.

        Raises:
            RetryLaterError: not now.
        """
        await self._governor.reserve()
        await self._token.get()

    async def submit(
        self, speaker_id: str, clip: bytes, *, create: bool, callback_url: str | None, idempotency_key: str
    ) -> Reply:
        """Hand one WAV sample in: POST to create, PATCH to add. Leave must have been taken by `reserve`."""
        body: dict[str, str] = {"encoding": "Wav", "languageCode": "en-US"}
        body["content"] = base64.b64encode(clip).decode()
        if create:
            body["speakerId"] = speaker_id
        path = _ENROLLMENTS if create else f"{_ENROLLMENTS}/{speaker_id}"
        try:
            answer = await self._call(
                "POST" if create else "PATCH",
                path,
                json=body,
                params={"webhook": callback_url} if callback_url else {},
                headers={"Idempotency-Key": idempotency_key},
            )
        except RetryLaterError as error:
            return NotApplied(error.code, error.message)
        except TimeoutError:
            return Doubtful("api_timeout", f"no answer within {self._api.timeout.total_seconds():.0f} s")
        except aiohttp.ClientError as error:
            return Doubtful("api_cut_off", f"the connection ended before the answer: {type(error).__name__}")
        return _reply(answer, create=create)

    async def enrollment(self, speaker_id: str) -> EnrollmentStatus | None:
        """What the API knows of the speaker; None if nothing.

        Raises:
            RetryLaterError: it can't be known now.
        """
        answer = await self._get(f"{_ENROLLMENTS}/{speaker_id}")
        return None if answer is None else _read(EnrollmentStatus, answer)

    async def job(self, job_id: str) -> Envelope | None:
        """How a job stands; None if the API doesn't know it (any more).

        Raises:
            RetryLaterError: it can't be known now.
        """
        answer = await self._get(f"/ai/status/v1/jobs/{job_id}")
        return None if answer is None else _read(Envelope, answer)

    async def _get(self, path: str) -> bytes | None:
        await self._governor.reserve()
        try:
            answer = await self._call("GET", path)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise RetryLaterError("api_unreachable", f"GET {path}: {type(error).__name__}") from error
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise RetryLaterError("api_failed", f"GET {path}: {answer.status}")
        return answer.body

    async def _call(self, method: str, path: str, **request: Any) -> _Answer:
        """One request with a token; a token that the API no longer takes is renewed once."""
        for last in (False, True):
            token = await self._token.get()
            answer = await self._request(method, path, token=token, **request)
            if answer.status != HTTPStatus.UNAUTHORIZED or last:
                break
            await self._token.drop(token)
        return answer

    async def _request(self, method: str, path: str, *, token: str, **request: Any) -> _Answer:
        headers = request.pop("headers", {}) | {"Authorization": f"Bearer {token}"}
        try:
            async with self._http.request(method, self._api.base_url + path, headers=headers, **request) as answer:
                body = await read_bounded(answer, _LARGEST_ANSWER)
                await self._governor.observe(answer.status, answer.headers)
                return _Answer(answer.status, body)
        except aiohttp.ClientConnectorError as error:
            message = f"no connection to {self._api.base_url}: {error.os_error.strerror or type(error).__name__}"
            raise RetryLaterError("api_unreachable", message, after=timedelta(seconds=5)) from error


def _reply(answer: _Answer, *, create: bool) -> Reply:  # noqa: PLR0911 -- one line per status
    match answer.status:
        case HTTPStatus.OK | HTTPStatus.CREATED:
            return _applied(answer.body)
        case HTTPStatus.ACCEPTED:
            return _accepted(answer.body)
        case HTTPStatus.CONFLICT if create:
            return NotApplied("exists", "the API already has an enrollment of this id; it will be added to")
        case HTTPStatus.NOT_FOUND if create:
            return NotApplied("api_withdrawn", _WITHDRAWN)
        case HTTPStatus.NOT_FOUND | HTTPStatus.GONE:
            return NotApplied("not_enrolled", "the API has no enrollment of this id (any more); it will be created")
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return NotApplied("api_forbidden", f"{': '.join(_reason(answer))}; run `voxroll doctor`")
        case HTTPStatus.TOO_MANY_REQUESTS:
            return NotApplied("rate_limited", "429: all workers pause for the penalty")
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return NotApplied("api_unavailable", "503")
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Doubtful("api_failed", f"{status}")
        case _:
            return Refused(*_reason(answer))


def _applied(body: bytes) -> Reply:
    try:
        return Applied(EnrollmentStatus.model_validate_json(body))
    except ValidationError:
        return Doubtful("api_unreadable", "a 201 whose body can't be read")


def _accepted(body: bytes) -> Reply:
    try:
        return Accepted(_JobAccepted.model_validate_json(body).jobId)
    except ValidationError:
        return Doubtful("api_unreadable", "a 202 without a job id")


def _reason(answer: _Answer) -> tuple[str, str]:
    try:
        return ErrorBody.model_validate_json(answer.body).reason()
    except ValidationError:
        return ("api_refused", f"{answer.status} without a reason")


def _read(model: type[_Model], body: bytes) -> _Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RetryLaterError("api_unreadable", f"an answer of the API can't be read as {model.__name__}") from error
