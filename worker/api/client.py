"""The client of the speaker-enrollment API: RingCentral's contract, whoever speaks it.

Every call has leave of the governor, looked at once more right before it is sent. What comes back is one of a few
plain replies; aiohttp's errors end here. A call that may have been applied without our hearing of it is `Doubtful`,
never repeated here.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Self, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis

from config.settings import Api
from worker.api.bounded import read_bounded
from worker.api.governor import Governor, Leave, Limit, Turn
from worker.api.listing import EnrollmentPage
from worker.api.replies import WITHDRAWN, Answer, Doubtful, NotApplied, Reply, reply_of
from worker.api.token import TokenSource, group_of
from worker.contract.callback import EnrollmentStatus, Envelope
from worker.enrollment.errors import RetryLaterError

_ENROLLMENTS = "/ai/audio/v1/enrollments"
_LANGUAGE = "en-US"  # the contract's default, where nobody says what is spoken
_PER_PAGE = 100  # more was never seen to be answered
_LARGEST_ANSWER = 1_048_576
_Model = TypeVar("_Model", bound=BaseModel)
_GONE = {HTTPStatus.OK, HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
_HONOURED = "Idempotency-Key-Honoured"
_WITHDRAWN_PAUSE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One WAV sample on its way: POST to create the enrollment, PATCH to add to it."""

    speaker_id: str
    clip: bytes
    create: bool
    callback_url: str | None
    idempotency_key: str
    language: str | None = None


class EnrollmentApi:
    """Calls of the contract.

    Attributes:
        honours_keys: whether the API said, in its last answer, that an Idempotency-Key keeps a repeated change from
            being applied twice. The engine says so; RingCentral's documents know no such key.
    """

    def __init__(self, http: aiohttp.ClientSession, *, api: Api, token: TokenSource, governor: Governor) -> None:
        self._http = http
        self._api = api
        self._token = token
        self._governor = governor
        self.honours_keys = False

    @classmethod
    def over(
        cls,
        redis: Redis,
        http: aiohttp.ClientSession,
        *,
        account: str,
        api: Api,
        clock: Callable[[], int] | None = None,
    ) -> Self:
        """A client that shares token and budget through Redis; `clock` as the governor has it."""
        limit, group = Limit(api.calls, api.window), group_of(account, api, name="heavy")
        governor = Governor(redis, group=group, limit=limit, clock=clock)
        token = TokenSource(redis, http, account=account, api=api, clock=clock)
        return cls(http, api=api, token=token, governor=governor)

    async def reserve(self, caller: str, *, turn: Turn) -> Leave:
        """Take leave for one call, before anything is written down; `caller` keeps its place in the line.

        Raises:
            RetryLaterError: not now.
        """
        leave = await self._governor.reserve(caller, turn=turn)
        await self._token.get()
        return leave

    async def submit(self, submission: Submission, *, leave: Leave) -> Reply:
        """Hand one sample in."""
        body = {"encoding": "Wav", "languageCode": submission.language or _LANGUAGE}
        body["content"] = base64.b64encode(submission.clip).decode()
        create, speaker_id = submission.create, submission.speaker_id
        if create:
            body["speakerId"] = speaker_id
        try:
            answer = await self._call(
                "POST" if create else "PATCH",
                _ENROLLMENTS if create else f"{_ENROLLMENTS}/{speaker_id}",
                leave=leave,
                json=body,
                params={"webhook": submission.callback_url} if submission.callback_url else {},
                headers={"Idempotency-Key": submission.idempotency_key},
            )
        except RetryLaterError as error:
            return NotApplied(error.code, error.message)
        except TimeoutError:
            return Doubtful("api_timeout", f"no answer within {self._api.timeout.total_seconds():.0f} s")
        except aiohttp.ClientError as error:
            return Doubtful("api_cut_off", f"the connection ended before the answer: {type(error).__name__}")
        return reply_of(answer, create=create)

    async def enrollment(self, speaker_id: str, *, turn: Turn = Turn.FINISH) -> EnrollmentStatus | None:
        """What the API knows of the speaker; None if nothing.

        Raises:
            RetryLaterError: it can't be known now.
        """
        answer = await self._get(f"{_ENROLLMENTS}/{speaker_id}", turn=turn)
        return None if answer is None else _read(EnrollmentStatus, answer)

    async def enrollments(self, page: int, per_page: int = _PER_PAGE, *, turn: Turn = Turn.FINISH) -> EnrollmentPage:
        """One page, counted from 1, of all enrollments, incomplete ones too.

        Raises:
            RetryLaterError: it can't be known now; `api_withdrawn`: there is no such list.
        """
        query = {"partial": "true", "perPage": str(per_page), "page": str(page)}
        answer = await self._get(_ENROLLMENTS, turn=turn, params=query)
        if answer is None:
            raise RetryLaterError("api_withdrawn", WITHDRAWN, after=_WITHDRAWN_PAUSE)
        return _read(EnrollmentPage, answer)

    async def job(self, job_id: str) -> Envelope | None:
        """How a job stands; None if the API doesn't know it (any more).

        Raises:
            RetryLaterError: it can't be known now.
        """
        answer = await self._get(f"/ai/status/v1/jobs/{job_id}", turn=Turn.FINISH)
        return None if answer is None else _read(Envelope, answer)

    async def delete(self, speaker_id: str, *, leave: Leave | None = None) -> None:
        """Delete the speaker's enrollment; one that is not there is gone too. `leave` may have been taken before.

        Raises:
            RetryLaterError: it can't be known now whether it is gone.
        """
        path = f"{_ENROLLMENTS}/{speaker_id}"
        answer = await self._ask("DELETE", path, turn=Turn.FINISH, leave=leave)
        if answer.status not in _GONE:
            raise RetryLaterError("api_failed", f"DELETE {path}: {answer.status}")

    async def _get(self, path: str, *, turn: Turn, params: Mapping[str, str] | None = None) -> bytes | None:
        answer = await self._ask("GET", path, turn=turn, params=params)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise RetryLaterError("api_failed", f"GET {path}: {answer.status}")
        return answer.body

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        turn: Turn,
        params: Mapping[str, str] | None = None,
        leave: Leave | None = None,
    ) -> Answer:
        """A call that may be repeated at will."""
        leave = leave or await self.reserve(f"{method} {path}", turn=turn)
        try:
            return await self._call(method, path, leave=leave, params=params or {})
        except (TimeoutError, aiohttp.ClientError) as error:
            raise RetryLaterError("api_unreachable", f"{method} {path}: {type(error).__name__}") from error

    async def _call(self, method: str, path: str, *, leave: Leave, **request: Any) -> Answer:
        """One request with a token; a token that the API no longer takes is renewed once, for which leave is taken."""
        for last in (False, True):
            token = await self._token.get()
            answer = await self._request(method, path, token=token, leave=leave, **request)
            if answer.status != HTTPStatus.UNAUTHORIZED or last:
                break
            await self._token.drop(token)
            leave = await self.reserve(f"{method} {path}", turn=Turn.FINISH)
        return answer

    async def _request(self, method: str, path: str, *, token: str, leave: Leave, **request: Any) -> Answer:
        headers = request.pop("headers", {}) | {"Authorization": f"Bearer {token}"}
        departure = await self._governor.depart(leave)
        try:
            async with self._http.request(method, self._api.base_url + path, headers=headers, **request) as answer:
                await self._governor.observe(answer.status, answer.headers, departure=departure)
                if answer.status < HTTPStatus.INTERNAL_SERVER_ERROR:  # else it may be the word of a proxy
                    self.honours_keys = answer.headers.get(_HONOURED) == "true"
                return Answer(answer.status, await read_bounded(answer, _LARGEST_ANSWER))
        except aiohttp.ClientConnectorError as error:
            await self._governor.take_back(departure)
            message = f"no connection to {self._api.base_url}: {error.os_error.strerror or type(error).__name__}"
            raise RetryLaterError("api_unreachable", message, after=timedelta(seconds=5)) from error


def _read(model: type[_Model], body: bytes) -> _Model:
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise RetryLaterError("api_unreadable", f"an answer of the API can't be read as {model.__name__}") from error
