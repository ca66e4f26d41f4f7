"""The client for programs without asyncio: the same calls, which wait for their result.

with SyncClient() as voxroll:
    voxroll.enroll("anna", [Path("monday.wav")])
    print(voxroll.wait("anna").enrollment_quality)
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from voxroll.client import Client, Order, Outcome
from voxroll.documents import Event, Speaker

T = TypeVar("T")


class SyncClient:
    """Speaks to one front door; use it as `with`. May be shared by threads.

    Takes what `Client` takes. Behind it a thread of its own runs the asyncio client.
    """

    def __init__(self, url: str | None = None, *, key: str | None = None) -> None:
        self._client = Client(url, key=key)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="voxroll", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._client.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._client.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def enroll(
        self, speaker_id: str, recordings: Sequence[Path | str], *, batch: str | None = None, wait_s: float = 0.0
    ) -> Speaker:
        """As `Client.enroll`."""
        return self._run(self._client.enroll(speaker_id, recordings, batch=batch, wait_s=wait_s))

    def enroll_many(self, orders: Iterable[Order], *, batch: str | None = None, at_once: int = 32) -> Iterator[Outcome]:
        """As `Client.enroll_many`."""
        return self._each(self._client.enroll_many(orders, batch=batch, at_once=at_once))

    def speaker(self, speaker_id: str) -> Speaker:
        """As `Client.speaker`."""
        return self._run(self._client.speaker(speaker_id))

    def wait(self, speaker_id: str, *, timeout_s: float | None = None) -> Speaker:
        """As `Client.wait`."""
        return self._run(self._client.wait(speaker_id, timeout_s=timeout_s))

    def erase(self, speaker_id: str) -> Speaker:
        """As `Client.erase`."""
        return self._run(self._client.erase(speaker_id))

    def shortlist(self, recording: str, *, limit: int = 50, timeout_s: float | None = None) -> list[str]:
        """As `Client.shortlist`."""
        return self._run(self._client.shortlist(recording, limit=limit, timeout_s=timeout_s))

    def events(
        self, *types: str, speaker: str = "", after: str = "", since: datetime | None = None, full: bool = False
    ) -> Iterator[Event]:
        """As `Client.events`: without end."""
        return self._each(self._client.events(*types, speaker=speaker, after=after, since=since, full=full))

    def _run(self, call: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()

    def _each(self, found: AsyncGenerator[T, None]) -> Iterator[T]:
        async def following() -> tuple[T]:
            return (await anext(found),)

        try:
            while True:
                try:
                    (one,) = self._run(following())
                except StopAsyncIteration:
                    return
                yield one
        finally:
            self._run(found.aclose())
