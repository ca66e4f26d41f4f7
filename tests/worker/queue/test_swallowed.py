"""News that arrives while a job of the same id still runs: its job is swallowed, and the sweep queues it again.

The queue keeps one job per id, so work that is queued while the same work runs is dropped. Ids that carry the number of
attempts, or of a callback, make that rare; where it happens, the record says that something is to be done.
"""

from dataclasses import replace
from datetime import timedelta

from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.workshop import prepared, workshop
from tests.worker.queue.rig import leases, taken
from worker.enrollment.facts import SampleParked
from worker.enrollment.record import RecordingId, SpeakerId
from worker.queue import jobs
from worker.queue.jobs import Queue
from worker.queue.lease import Finish
from worker.sweep import sweep

_ANNA = SpeakerId("anna")


async def test_a_swallowed_submission_is_found_by_the_sweep(redis: ArqRedis, queue: Queue, settings: Settings) -> None:
    """A submission finds nothing to submit; before it is given back, another sample is ready, under the same id."""
    async with workshop(settings) as shop:
        record = await prepared(shop, _ANNA, RecordingId("one"))
        submission = jobs.submit(settings.account, record, at=shop.now())
        worker = leases(redis, queue, "worker", lease_s=30)
        (claim,) = await taken(worker)
        assert claim.job_id == submission.job_id
        gone = SampleParked(at=shop.now(), recording_id=RecordingId("one"), code="clip_lost", message="gone")
        await shop.tell(_ANNA, gone)
        await prepared(shop, _ANNA, RecordingId("two"))
        await worker.turn([Finish(claim)], claim=0)
        assert not await queue.holds(submission)
        in_a_minute = shop.now() + timedelta(seconds=61)
        await sweep(replace(shop, now=lambda: in_a_minute))
        assert await queue.holds(submission)
