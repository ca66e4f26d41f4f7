"""What every server does with a callback: check the token, validate the body, write it and its job down, then answer.

All by the door's own functions and script over the same client of Redis, so that only the servers differ. `plain` is
how one would write it: one round trip for each callback. `grouped` gives the peer our group commit as well.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr

from config.settings import Redis as RedisSettings
from webhook.groups import Groups
from worker.contract.callback import parse
from worker.contract.token import KeyRing, verify
from worker.queue.connect import client
from worker.queue.jobs import queue_name
from worker.store.journal import Arrived, Journal

_TIMEOUT_S = 5.0
_KEPT = frozenset({b"content-type", b"user-agent", b"rcrequestid"})


class Work:
    """One server's adapters; settings come by environment, since servers start processes of their own."""

    def __init__(self) -> None:
        self._account = os.environ["BENCH_ACCOUNT"]
        self._keys = KeyRing(SecretStr(os.environ["BENCH_KEY"]))
        redis = client(RedisSettings(url=SecretStr(os.environ["BENCH_REDIS"])), queue_name=queue_name(self._account))
        self._journal = Journal(redis, account=self._account, keep=timedelta(days=7), most_bytes=2**40)
        self._groups = Groups[Arrived](self._write, timeout_s=_TIMEOUT_S)
        self._is_grouped = os.environ["BENCH_MODE"] == "grouped"

    async def take(self, token: str, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Return once the callback is written down."""
        now = datetime.now(UTC)
        claims = verify(token, keys=self._keys, account=self._account, now=now)
        parse(body)
        ids = (claims.speaker_id, claims.recording_id, claims.attempt_id)
        kept = b"\n".join([name + b": " + value for name, value in headers if name in _KEPT])
        arrived = Arrived(int(now.timestamp() * 1000), *ids, kept, body)
        if self._is_grouped:
            await self._groups.put(arrived)
        else:
            await self._write([arrived])

    async def _write(self, group: Sequence[Arrived]) -> None:
        await self._journal.write(group, now=datetime.now(UTC))
