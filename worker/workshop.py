"""The workshop's bench: everything the steps need, built once by the composition root."""

from collections.abc import Callable, Collection
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime

from config.points import point
from config.settings import Settings
from engine.voice.apart import Decoders
from engine.voice.preflight import Rules, Window
from engine.voice.recent import Recent
from engine.voice.voice import Voice
from worker.api.client import EnrollmentApi
from worker.enrollment.facts import Answered, Fact, SampleParked
from worker.enrollment.record import AttemptOutcome, Record, SpeakerId, Stretch
from worker.enrollment.renewal import era_of
from worker.enrollment.steps import LookUp, Park, Policy, Prepare, Renew, Step, Submit, Unenroll, next_steps
from worker.fetch import Fetcher
from worker.measuring import Measuring
from worker.queue import jobs
from worker.queue.jobs import Job, Queue
from worker.store.batches import Batches
from worker.store.journal import Journal
from worker.store.objects import ObjectStore
from worker.store.shortlists import Shortlists
from worker.store.status import StatusStore, Stored
from worker.voices import Voices

_WINDOWS_MOST = 64  # stretches found lately with their prints, of up to 100 KB: a repeated run doesn't search again
_PASSED_MOST = 4096  # samples that were compared with others lately: one that waits for its call isn't judged again


def utc_now() -> datetime:
    """The clock of production."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """What the steps work with."""

    settings: Settings
    store: StatusStore
    journal: Journal
    batches: Batches
    queue: Queue
    objects: ObjectStore
    shortlists: Shortlists
    api: EnrollmentApi
    fetcher: Fetcher
    voice: Voice
    voices: Voices
    rules: Rules
    threads: Executor
    measuring: Measuring
    decoders: Decoders
    policy: Policy
    windows: Recent[tuple[str, int | None, Stretch, str], tuple[Window, bytes]] = field(
        default_factory=lambda: Recent(_WINDOWS_MOST)
    )
    passed: Recent[tuple[str, ...], bool] = field(default_factory=lambda: Recent(_PASSED_MOST))
    now: Callable[[], datetime] = utc_now

    async def tell(self, speaker_id: SpeakerId, *facts: Fact, seen: Stored | None = None) -> Record:
        """Write facts down, then queue what follows from them: store first, queue second.

        A voice goes into the gallery before the fact that its sample was applied: who is cut short between the two does
        both again. Where the speaker was erased meanwhile, it is taken out again, whatever the answer is in the end.
        `seen` is the record as it was read lately, if it was.
        """
        answers = [fact for fact in facts if isinstance(fact, Answered)]
        applied = [fact for fact in answers if fact.outcome is AttemptOutcome.APPLIED]
        if applied:
            seen = seen or await self.store.get(speaker_id)
            counts = [fact.recording_id for fact in applied if era_of(fact.attempt_id) == seen.record.era]
            await self.voices.learn(seen.record, counts)
        stored = await self.store.apply(speaker_id, *facts, seen=seen)
        if answers and stored.record.erased_at:
            await self.voices.forget(speaker_id)
        point("facts.stored")
        await self.go_on(stored.record)
        return stored.record

    async def go_on(self, record: Record, *, but: Collection[Step] = ()) -> None:
        """Queue everything that may be done for the speaker now; work that is queued already stays as it is.

        Args:
            record: the speaker's.
            but: steps that somebody else sees to.
        """
        steps = next_steps(record, now=self.now(), policy=self.policy)
        for step in steps:
            if isinstance(step, Park):
                parked = SampleParked(
                    at=self.now(), recording_id=step.recording_id, code=step.code, message=step.message
                )
                await self.tell(record.speaker_id, parked)
                return
        await self.queue.put(job for step in steps if step not in but and (job := self._job(record, step)))

    def _job(self, record: Record, step: Step) -> Job | None:
        match step:
            case Prepare(recording_id):
                return jobs.prepare(self.queue.account, record, recording_id)
            case Submit(at=at):
                return jobs.submit(self.queue.account, record, at=at)
            case LookUp(recording_id, attempt, is_overdue) if is_overdue:
                return jobs.look_up(self.queue.account, record.speaker_id, recording_id, attempt)
            case Unenroll():
                return jobs.unenroll(self.queue.account, record)
            case Renew(at=at):
                return jobs.renew(self.queue.account, record, at=at)
            case LookUp() | Park():
                return None
