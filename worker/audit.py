"""Audit: recompute from journal, records and API what was sent and applied, and name every exception. Changes nothing.

The API's list is read whole (one call for a hundred enrollments), then records and journal page by page. What doesn't
agree is read once more before it is told: the line may be at work meanwhile.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from worker.api.client import EnrollmentApi
from worker.contract.callback import EnrollmentStatus, parse
from worker.enrollment.audit import (
    Finding,
    Told,
    check_progress,
    check_sums,
    check_told,
    unknown_enrollment,
)
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.record import Enrollment, Record, SpeakerId
from worker.enrollment.states import SampleState, is_settled, sample_state
from worker.enrollment.steps import Policy
from worker.queue import jobs
from worker.queue.jobs import Queue
from worker.store.journal import Callback, Journal
from worker.store.listing import Wanted
from worker.store.status import StatusStore

_PAGE = 200
_Answer = TypeVar("_Answer")


@dataclass(slots=True)
class Tally:
    """How much was looked at."""

    enrollments: int = 0
    speakers: int = 0
    settled: int = 0
    samples: int = 0
    applied: int = 0
    callbacks: int = 0
    exceptions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Auditor:
    """What the audit reads; `pause` waits where the API asks for it.

    `since`: only speakers who changed and callbacks that came from then on; who is enrolled unknown to us is not looked
    for then.
    """

    store: StatusStore
    journal: Journal
    queue: Queue
    api: EnrollmentApi
    policy: Policy
    now: Callable[[], datetime]
    pause: Callable[[float], Awaitable[None]]
    since: datetime | None = None
    tally: Tally = field(default_factory=Tally)

    async def findings(self) -> AsyncIterator[Finding | Tally]:
        """Every exception, as it is found; after each page, how far the audit is."""
        heard = {status.speaker_id: status.to_enrollment() async for status in self._listed()}
        self.tally.enrollments = len(heard)
        cursor: str | None = ""
        while cursor is not None:
            page = await self.store.page(Wanted(after=self.since), limit=_PAGE, cursor=cursor, newest_first=False)
            for record in page.records:
                for finding in await self._of_record(record, heard.pop(record.speaker_id, None)):
                    yield finding
            cursor = page.next
            yield self.tally
        for speaker_id, seen in heard.items() if self.since is None else ():
            if (await self.store.get(SpeakerId(speaker_id))).version == 0:
                yield unknown_enrollment(speaker_id, seen)
        async for one in self._of_journal():
            yield one

    async def _of_record(self, record: Record, seen: Enrollment | None) -> list[Finding]:
        self._count(record)
        found = list(check_sums(record, seen))
        if found:  # the line goes on while we look
            record = (await self.store.get(record.speaker_id)).record
            status = await self._asked(lambda: self.api.enrollment(record.speaker_id))
            found = list(check_sums(record, status.to_enrollment() if status else None))
        return [*found, *check_progress(record, now=self.now(), policy=self.policy)]

    async def _of_journal(self) -> AsyncIterator[Finding | Tally]:
        before = None
        while callbacks := [one for one in await self.journal.page(before=before, limit=_PAGE) if self._is_meant(one)]:
            before = callbacks[-1].callback_id
            self.tally.callbacks += len(callbacks)
            records = await self.store.many({SpeakerId(one.speaker_id) for one in callbacks})
            for callback in callbacks:
                speaker_id = SpeakerId(callback.speaker_id)
                for finding in _of_callback(records.get(speaker_id, Record(speaker_id=speaker_id)), callback):
                    if not await self._waits(callback):
                        yield finding
            yield self.tally

    def _is_meant(self, callback: Callback) -> bool:
        return self.since is None or callback.received_at >= self.since

    async def _waits(self, callback: Callback) -> bool:
        """Whether the callback is still to be reconciled, or has just been."""
        if await self.queue.holds(jobs.reconcile(self.queue.account, callback.callback_id)):
            return True
        record = (await self.store.get(SpeakerId(callback.speaker_id))).record
        return not list(_of_callback(record, callback))

    async def _listed(self) -> AsyncIterator[EnrollmentStatus]:
        number, pages = 1, 1
        while number <= pages:
            page = await self._asked(partial(self.api.enrollments, number))
            pages = page.total_pages
            for status in page.records:
                yield status
            number += 1

    async def _asked(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Ask the API, however often the governor says that it is not our turn."""
        while True:
            try:
                return await ask()
            except RetryLaterError as error:
                if error.code != "rate_limited":
                    raise
                await self.pause(error.after.total_seconds())

    def _count(self, record: Record) -> None:
        states = [sample_state(sample) for sample in record.samples]
        self.tally.speakers += 1
        self.tally.settled += is_settled(record)
        self.tally.samples += len(states)
        self.tally.applied += states.count(SampleState.APPLIED)


async def report(auditor: Auditor) -> AsyncIterator[dict[str, Any]]:
    """The audit as lines for programs: `finding` and `progress`, and a `summary` at the end."""
    tally = auditor.tally
    async for one in auditor.findings():
        if isinstance(one, Tally):
            yield {"type": "progress", **asdict(one)}
        else:
            tally.exceptions += 1
            yield {"type": "finding", **_to_wire(one)}
    yield {"type": "summary", "clean": not tally.exceptions, **asdict(tally)}


def _of_callback(record: Record, callback: Callback) -> Iterable[Finding]:
    told = Told(
        callback_id=callback.callback_id,
        attempt_id=callback.attempt_id,
        recording_id=callback.recording_id,
        applied=isinstance(parse(callback.body), EnrollmentStatus),
    )
    return check_told(record, told)


def _to_wire(finding: Finding) -> dict[str, Any]:
    """A finding as JSON types with wire names."""
    named = asdict(finding)
    return {"code": named["code"], "speakerId": named["speaker_id"]} | {
        key: named[key] for key in ("detail", "evidence")
    }
