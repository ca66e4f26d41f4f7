"""The access token: fetched by one process, shared by all through Redis, renewed before it ends.

RingCentral counts token requests (5 a minute per app) and may drop the older of several tokens, so parallel workers
must not each have their own (CONTRACT 8).
"""

import asyncio
from datetime import timedelta

import aiohttp
from pydantic import BaseModel, ValidationError
from redis.asyncio import Redis

from config.settings import Api
from worker.api import keys
from worker.api.bounded import read_bounded
from worker.enrollment.errors import RetryLaterError

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_EARLY = timedelta(seconds=60)
_LOCK = timedelta(seconds=15)
_REFUSED_PAUSE = timedelta(seconds=60)  # a refused credential is not tried again sooner: apps get suspended for that


class Grant(BaseModel):
    """What the token endpoint answers."""

    access_token: str
    expires_in: int
    scope: str = ""


class TokenSource:
    """The shared token of one account."""

    def __init__(self, redis: Redis, http: aiohttp.ClientSession, *, account: str, api: Api) -> None:
        self._redis = redis
        self._http = http
        self._account = account
        self._api = api

    async def get(self) -> str:
        """A token that holds for another minute at least.

        Raises:
            RetryLaterError: there is none to be had now.
        """
        while True:
            known = await self._redis.get(keys.token(self._account))
            if known:
                return str(known.decode())
            if await self._redis.set(keys.token_lock(self._account), "1", nx=True, ex=_LOCK):
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
        """Exchange the JWT credential for a token."""
        basic = aiohttp.encode_basic_auth(self._api.client_id, self._api.client_secret.get_secret_value())
        form = {"grant_type": _GRANT, "assertion": self._api.jwt.get_secret_value()}
        url = f"{self._api.base_url}/restapi/oauth/token"
        try:
            async with self._http.post(url, data=form, headers={"Authorization": basic}) as answer:
                body = await read_bounded(answer, 65_536)
                status = answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RetryLaterError("api_unreachable", f"{url}: {type(error).__name__}") from error
        if status != 200:  # noqa: PLR2004 -- OK
            message = f"the token endpoint answered {status}; check VOXROLL_API_CLIENT_ID, _CLIENT_SECRET and _JWT"
            raise RetryLaterError("api_credentials", message, after=_REFUSED_PAUSE)
        try:
            return Grant.model_validate_json(body)
        except ValidationError as error:
            raise RetryLaterError("api_unreadable", "the token endpoint's answer can't be read") from error

    async def _renew(self) -> str:
        grant = await self.fetch()
        keep = max(timedelta(seconds=grant.expires_in) - _EARLY, timedelta(seconds=1))
        await self._redis.set(keys.token(self._account), grant.access_token, px=keep)
        return grant.access_token
