"""Who waits for news of one speaker: however many they are, the stream of events is read once for all.

A watcher of `/v1/events` reads the stream itself; here only those are woken whose speaker is named in what is new.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from worker.enrollment.record import SpeakerId
from worker.store.events import Bell, EventLog

_MOST = 5000  # who wait, each with an open connection
_PAGE = 500


class Waiting:
    """Wakes those who wait.

    Args:
        log: the events.
        bell: rings when there are new ones.
    """

    def __init__(self, log: EventLog, bell: Bell) -> None:
        self._log = log
        self._bell = bell
        self._news = dict[SpeakerId, set[asyncio.Event]]()
        self._number = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody more should wait."""
        return self._number >= _MOST

    @contextmanager
    def of(self, speaker_id: SpeakerId) -> Iterator[asyncio.Event]:
        """What is set whenever there may be news of a speaker; clear it, read, and then wait for it."""
        news = asyncio.Event()
        self._news.setdefault(speaker_id, set()).add(news)
        self._number += 1
        try:
            yield news
        finally:
            self._number -= 1
            others = self._news[speaker_id]
            others.discard(news)
            if not others:
                del self._news[speaker_id]

    def wake_all(self) -> None:
        """Let everybody look."""
        for waiting in self._news.values():
            _wake(waiting)

    async def run(self) -> None:
        """Follow the bell until cancelled."""
        seen = ""
        while True:
            news, newest = self._bell.next(), self._bell.place
            if newest != seen:
                await self._wake_behind(seen)
                seen = newest
            await news.wait()

    async def _wake_behind(self, place: str) -> None:
        """Wake those whose speaker is named behind a place; all of them where it isn't known, or can't be read."""
        while self._news:
            try:
                if not place:
                    return self.wake_all()
                found = await self._log.after(place, limit=_PAGE)
            except (RedisError, OSError):
                return self.wake_all()
            for _, event in found:
                if event and event.speaker_id:
                    _wake(self._news.get(SpeakerId(event.speaker_id), ()))
            if len(found) < _PAGE:
                return None
            place = found[-1][0]
        return None


def _wake(waiting: Iterable[asyncio.Event]) -> None:
    for news in waiting:
        news.set()
