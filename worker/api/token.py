"""The access token: fetched by one process, shared by all through Redis, renewed before it ends.

RingCentral counts token requests (5 a minute per app) and may drop the older of several tokens, so parallel workers
must not each have their own (CONTRACT 8). A refused credential is not shown again sooner than a minute later, by no
worker: apps get suspended for that.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus

import aiohttp
import jwt
from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis

from config.settings import Api
from worker.api import keys
from worker.api.bounded import read_bounded
from worker.api.governor import Governor, Limit, Turn
from worker.api.keys import Group
from worker.enrollment.errors import RetryLaterError

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EARLY = timedelta(seconds=60)
_LOCK_SLACK = timedelta(seconds=5)
_REFUSED_PAUSE = timedelta(seconds=60)
_REQUESTS = Limit(calls=5, window=timedelta(seconds=60))  # the group Auth (CONTRACT 7)


class Grant(BaseModel):
    """What the token endpoint answers."""

    access_token: str
    expires_in: int
    scope: str = ""


class TokenSource:
    """The shared token of one account."""

    def __init__(
        self,
        redis: Redis,
        http: aiohttp.ClientSession,
        *,
        account: str,
        api: Api,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._redis = redis
        self._http = http
        self._account = account
        self._api = api
        self._governor = Governor(redis, group=group_of(account, api, name="auth"), limit=_REQUESTS, clock=clock)

    async def get(self) -> str:
        """A token that holds for another minute at least.

        Raises:
            RetryLaterError: there is none to be had now.
        """
        while True:
            known = await self._redis.get(keys.token(self._account))
            if known:
                return str(known.decode())
            if await self._redis.set(keys.token_lock(self._account), "1", nx=True, ex=self._api.timeout + _LOCK_SLACK):
                try:
                    return await self._renew()
                finally:
                    await self._redis.delete(keys.token_lock(self._account))
            await asyncio.sleep(0.05)

    async def drop(self, token: str) -> None:
        """Forget a token that the API refused, unless somebody has renewed it meanwhile."""
        known = await self._redis.get(keys.token(self._account))
        if known and known.decode() == token:
            await self._redis.delete(keys.token(self._account))

    async def fetch(self) -> Grant:
        """Exchange the JWT credential for a token.

        Raises:
            RetryLaterError: there is none to be had now.
        """
        leave = await self._governor.reserve("token", turn=Turn.FINISH)
        departure = await self._governor.depart(leave)
        url = f"{self._api.base_url}/restapi/oauth/token"
        try:
            async with self._http.post(url, data=self._form(), headers={"Authorization": self._basic()}) as answer:
                await self._governor.observe(answer.status, answer.headers, departure=departure)
                body, status = await read_bounded(answer, 65_536), answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            if isinstance(error, aiohttp.ClientConnectorError):
                await self._governor.take_back(departure)
            raise RetryLaterError("api_unreachable", f"{url}: {type(error).__name__}") from error
        if status != HTTPStatus.OK:
            if status < HTTPStatus.INTERNAL_SERVER_ERROR:
                await self._governor.park(_REFUSED_PAUSE)
            message = f"the token endpoint answered {status}; check VOXROLL_API_CLIENT_ID, _CLIENT_SECRET and _JWT"
            raise RetryLaterError("api_credentials", message, after=_REFUSED_PAUSE)
        try:
            return Grant.model_validate_json(body)
        except ValidationError as error:
            raise RetryLaterError("api_unreadable", "the token endpoint's answer can't be read") from error

    def _form(self) -> dict[str, str]:
        return {"grant_type": _GRANT, "assertion": self._api.jwt.get_secret_value()}

    def _basic(self) -> str:
        return aiohttp.encode_basic_auth(self._api.client_id, self._api.client_secret.get_secret_value())

    async def _renew(self) -> str:
        grant = await self.fetch()
        keep = max(timedelta(seconds=grant.expires_in) - _EARLY, timedelta(seconds=1))
        await self._redis.set(keys.token(self._account), grant.access_token, px=keep)
        return grant.access_token


def group_of(account: str, api: Api, *, name: str) -> Group:
    """The provider's bucket for one group of its methods.

    The user is the subject of the JWT credential, which all workers know before the first call; where the credential
    can't be read, the client stands for it.
    """
    try:
        claims = jwt.decode(api.jwt.get_secret_value(), options={"verify_signature": False})
    except jwt.InvalidTokenError:
        claims = {}
    return Group(account, api.client_id, str(claims.get("sub") or api.client_id), name)
