"""What of the tokens ended before its time: in Redis, so that every process of the engine knows.

A token is valid by its signature; here stands only what no longer is, each entry for as long as the token would have
lived. One round trip per request.
"""

from typing import cast

from redis.asyncio import Redis

from engine.service import keys
from engine.service.store import reaching

GRACE_S = 10.0  # a refresh whose answer was lost may be sent again within this, as at RingCentral


class Sessions:
    """Ended sessions and tokens of one account."""

    def __init__(self, redis: Redis, *, account: str) -> None:
        self._redis = redis
        self._account = account

    async def any_ended(self, *names: str) -> bool:
        """Whether one of these sessions or tokens was ended."""
        with reaching():
            return bool(await self._redis.exists(*(keys.ended(self._account, name) for name in names)))

    async def end(self, name: str, *, for_s: float) -> None:
        """End a session or a token that would have lived so long."""
        with reaching():
            await self._redis.set(keys.ended(self._account, name), 0, px=_ms(for_s))

    async def use_once(self, name: str, *, now_s: float, for_s: float) -> bool:
        """Use up a refresh token; False if it was, longer than the grace ago."""
        key = keys.ended(self._account, name)
        with reaching():
            if await self._redis.set(key, now_s, px=_ms(for_s), nx=True):
                return True
            used_s = cast("bytes | None", await self._redis.get(key))
        return used_s is not None and now_s - float(used_s) <= GRACE_S


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
