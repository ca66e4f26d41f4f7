"""The lease itself, script by script: who holds a job, whose a crash is, where a job goes back to, lost answers."""

from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, result_key_prefix, retry_key_prefix

from tests.worker.queue.rig import holds, job, job_id, leases, taken, until
from worker.queue.jobs import Queue
from worker.queue.lease import Finish

_MEMORY_MS = 24 * 3600 * 1000


async def test_a_late_finisher_changes_nothing(redis: ArqRedis, queue: Queue) -> None:
    await queue.put([job(queue, "j")])
    first, second = leases(redis, queue, "first"), leases(redis, queue, "second")
    (early,) = await taken(first)
    (again,) = await taken(second)
    assert (again.crashes, again.job_try) == (1, 1)
    late = [
        Finish(early),
        Finish(early, again_ms=0),
        Finish(early, again_ms=0, refund=True),
        Finish(early, result=b"x"),
    ]
    for finish in late:
        assert (await first.turn([finish], claim=0)).late == {early.job_id}
    assert (await first.turn([], claim=0, renew=[early.job_id])).lost == {early.job_id}
    assert not await first.begin_alone(early)
    assert await holds(redis) == {early.job_id: f"second:{again.number}|1|r"}
    assert await redis.exists(result_key_prefix + early.job_id) == 0
    assert (await second.turn([Finish(again)], claim=0)).late == set()
    assert await redis.keys("arq:*") == []
    assert await redis.zcard(queue.name) == 0


async def test_a_renewed_lease_is_nobody_elses(redis: ArqRedis, queue: Queue) -> None:
    await queue.put([job(queue, "j")])
    first = leases(redis, queue, "first", lease_s=30)
    (claim,) = await taken(first)
    assert (await leases(redis, queue, "second").turn([], claim=10)).claims == []
    assert (await first.turn([], claim=0, renew=[claim.job_id])).lost == set()


async def test_a_holder_that_was_held_up_keeps_what_nobody_took(redis: ArqRedis, queue: Queue) -> None:
    """Its own claim comes after its own lease ran out: the job is not taken a second time, nor is a crash counted."""
    await queue.put([job(queue, "j")])
    held = leases(redis, queue, "held")
    (claim,) = await taken(held)
    await redis.zadd(queue.name, {claim.job_id: 1})
    await redis.pexpire(in_progress_key_prefix + claim.job_id, _MEMORY_MS)
    assert (await held.turn([], claim=10)).claims == []
    assert await holds(redis) == {claim.job_id: "held:1|0|r"}
    assert await redis.zscore(queue.name, claim.job_id) != 1
    assert (await held.turn([Finish(claim)], claim=10)).late == set()


async def test_a_job_that_somebody_moved_stays_its_holders(redis: ArqRedis, queue: Queue) -> None:
    """What arq's abort does: it puts a job first in the queue even while it runs."""
    await queue.put([job(queue, "j")])
    (claim,) = await taken(leases(redis, queue, "holder", lease_s=30))
    await redis.zadd(queue.name, {claim.job_id: 1})
    assert (await leases(redis, queue, "other", lease_s=30).turn([], claim=10)).claims == []
    assert await holds(redis) == {claim.job_id: "holder:1|0|r"}


async def test_a_call_repeated_takes_the_same_jobs(redis: ArqRedis, queue: Queue) -> None:
    """As when its answer was lost: a second call with the token and number of the first."""
    await queue.put([job(queue, f"j{number}") for number in range(5)])
    first = await taken(leases(redis, queue, "same", lease_s=30))
    again = leases(redis, queue, "same", lease_s=30)
    assert (await again.turn([], claim=1)).claims == first
    assert (await again.turn([Finish(claim) for claim in first], claim=1)).claims == []
    assert await redis.zcard(queue.name) == 0


async def test_a_call_repeated_after_the_lease_takes_the_same_jobs(redis: ArqRedis, queue: Queue) -> None:
    """A long outage, and no other worker: what was taken unheard is neither stuck nor blamed, and held anew."""

    async def is_over() -> bool:
        now_s, _ = await redis.time()
        return bool(await redis.zcount(queue.name, "-inf", now_s * 1000))

    await queue.put([job(queue, "j")])
    first = await taken(leases(redis, queue, "same"))
    await until(is_over)
    assert (await leases(redis, queue, "same", lease_s=30).turn([], claim=1)).claims == first
    assert (await leases(redis, queue, "other").turn([], claim=1)).claims == []


async def test_a_repeated_call_leaves_what_was_given_back_since(redis: ArqRedis, queue: Queue) -> None:
    await queue.put([job(queue, "j1"), job(queue, "j2")])
    held = leases(redis, queue, "same", lease_s=30)
    one, two = await taken(held, 2)
    await held.turn([Finish(one), Finish(two, again_ms=60_000)], claim=0)
    assert (await leases(redis, queue, "same").turn([], claim=9)).claims == []


async def test_a_repeated_finish_leaves_the_next_hold_alone(redis: ArqRedis, queue: Queue) -> None:
    """Done, queued anew and taken again by the same worker: the first finish, sent once more, is not for this hold."""
    await queue.put([job(queue, "j")])
    held = leases(redis, queue, "same", lease_s=30)
    (first,) = await taken(held)
    await held.turn([Finish(first)], claim=0)
    await queue.put([job(queue, "j")])
    (second,) = await taken(held)
    assert (await held.turn([Finish(first)], claim=0)).late == {first.job_id}
    assert await holds(redis) == {second.job_id: f"same:{second.number}|0|r"}


async def test_a_job_goes_back_to_its_place(redis: ArqRedis, queue: Queue) -> None:
    await queue.put([job(queue, "j1"), job(queue, "j2")])
    held = leases(redis, queue, "held")
    (claim, _) = await taken(held, 2)
    await held.turn([Finish(claim, again_ms=0, refund=True)], claim=0)
    assert await redis.zscore(queue.name, claim.job_id) == claim.due_ms
    assert await redis.get(retry_key_prefix + claim.job_id) == b"0"
    (again,) = (await held.turn([], claim=1)).claims
    assert again == claim._replace(number=again.number)


async def test_giving_back_does_not_forget_a_crash(redis: ArqRedis, queue: Queue) -> None:
    """A suspect that a stopped worker gives back is a suspect to the next one; one that ends well is none."""
    await queue.put([job(queue, "j")])
    for number in range(2):
        await taken(leases(redis, queue, f"dead{number}"))
    stopped, next_one = leases(redis, queue, "stopped"), leases(redis, queue, "next")
    (suspect,) = await taken(stopped)
    assert (suspect.crashes, suspect.job_try) == (2, 1)
    assert await stopped.begin_alone(suspect)
    await stopped.turn([Finish(suspect, again_ms=0, refund=True)], claim=0)
    (again,) = (await next_one.turn([], claim=1)).claims
    assert (again.crashes, again.job_try, again.due_ms) == (2, 1, suspect.due_ms)
    await next_one.turn([Finish(again, again_ms=0)], claim=0)
    (well,) = await taken(next_one)
    assert (well.crashes, well.job_try) == (0, 2)


async def test_a_suspect_that_only_waited_is_not_blamed(redis: ArqRedis, queue: Queue) -> None:
    await queue.put([job(queue, "j")])
    for number in range(2):
        await taken(leases(redis, queue, f"dead{number}"))
    (waiting,) = await taken(leases(redis, queue, "dies before it runs the suspect"))
    (again,) = await taken(leases(redis, queue, "next"))
    assert (waiting.crashes, again.crashes) == (2, 2)


async def test_results_are_kept_as_long_as_asked(redis: ArqRedis, queue: Queue) -> None:
    await queue.put([job(queue, "j1"), job(queue, "j2")])
    held = leases(redis, queue, "held")
    brief, endless = await taken(held, 2)
    finished = [Finish(brief, result=b"\x00one", keep_ms=60_000), Finish(endless, result=b"two")]
    assert await held.turn(finished, claim=0) == ([], set(), set())
    assert await redis.mget(*(result_key_prefix + claim.job_id for claim in (brief, endless))) == [b"\x00one", b"two"]
    assert 0 < await redis.pttl(result_key_prefix + brief.job_id) <= 60_000
    assert await redis.pttl(result_key_prefix + endless.job_id) == -1
    await redis.delete(result_key_prefix + endless.job_id)


async def test_jobs_of_one_call_keep_their_order(redis: ArqRedis, queue: Queue) -> None:
    """Also of several calls in one round trip, and of several round trips."""
    names = [f"j{number}" for number in range(1000)]
    await queue.put(job(queue, name) for name in names[:700])
    await queue.put(job(queue, name) for name in names[700:])
    claims = await taken(leases(redis, queue, "all", lease_s=30), 1000)
    assert [claim.job_id for claim in claims] == [job_id(queue, name) for name in names]
    assert all(claim.payload for claim in claims)
    await redis.flushdb()
