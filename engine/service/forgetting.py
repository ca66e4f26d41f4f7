"""What Redis's own files still hold of a voice that was erased: written anew without it, within a bounded time.

An append-only file keeps every write until it is rewritten, the sealed voiceprint and its sealed data key too. Each
erasure leaves a note in the same script that takes the voice away. Once the note is old enough one process takes it and
has the file rewritten (BGREWRITEAOF); erasures that come meanwhile leave a new note. A note that was taken and not
dealt with, as after a crash, is due at once. Where Redis doesn't allow that, or has no such file, the log says so once.
Copies elsewhere (replicas, backups, snapshots) are beyond this.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from engine.service import keys
from engine.service.failure import StoreAwayError
from engine.service.store import reaching, script

_LOOKS = 6  # at the note, in the time that may pass
_LEAST_S, _MOST_S = 0.02, 60.0  # between two looks
_WAITS = 600  # of a second at most, for one rewrite: Valkey writes a gigabyte in some ten seconds

_log = structlog.get_logger()


class Forgetting:
    """Has Redis's append-only file rewritten after erasures.

    Args:
        redis: client that answers in bytes.
        account: whose erasures.
        within: the longest that the file may hold what was erased; 0: for ever.
    """

    def __init__(self, redis: Redis, *, account: str, within: timedelta) -> None:
        self._redis = redis
        self._noted, self._taken = keys.erased(account), keys.forgetting(account)
        self._strike = redis.register_script(script("strike.lua"))
        self._within_s = within.total_seconds()
        self._pause_s = min(max(self._within_s / _LOOKS, _LEAST_S), _MOST_S)
        self._is_told = False

    async def run(self) -> None:
        """Look for notes until cancelled."""
        while self._within_s:
            with suppress(StoreAwayError):
                if note := await self._take():
                    await self._rewrite(note)
            await asyncio.sleep(self._pause_s)

    async def _take(self) -> bytes | None:
        """The note that is to be dealt with now, if there is one; it is then the taken one."""
        with reaching():
            taken, noted = await self._redis.mget(self._taken, self._noted)
            if taken or noted is None:
                return bytes(taken) if taken else None
            now_s, _ = await self._redis.time()
            if now_s - int(noted) < self._within_s - 2 * self._pause_s:
                return None
            with suppress(ResponseError):  # another process was faster
                await self._redis.rename(self._noted, self._taken)
            return bytes(noted)

    async def _rewrite(self, note: bytes) -> None:
        """Have the file rewritten, wait until it is, and strike the note off."""
        with self._refused():
            now = await self._redis.info("persistence")
            if not now["aof_enabled"]:
                raise ResponseError("there is no append-only file; a snapshot holds what was erased until the next one")
            if now["aof_rewrite_in_progress"]:
                return  # it may have begun before the erasure: the next look will come after it
            await self._redis.bgrewriteaof()  # type: ignore[no-untyped-call]  # redis-py gives no types here
            for _ in range(_WAITS):
                await asyncio.sleep(min(self._pause_s, 1.0))
                now = await self._redis.info("persistence")
                if not now["aof_rewrite_in_progress"] and not now["aof_rewrite_scheduled"]:
                    if now["aof_last_bgrewrite_status"] == "ok":
                        await self._strike(keys=[self._taken], args=[note])
                        _log.info("erasure.files_rewritten")
                    return

    @contextmanager
    def _refused(self) -> Iterator[None]:
        """Say once that Redis won't do it; it is asked again all the same."""
        with reaching():
            try:
                yield
            except ResponseError as error:
                if not self._is_told:
                    self._is_told = True
                    _log.warning("erasure.files_not_rewritten", reason=str(error))
