"""No sample is lost and none is applied twice, whoever asks at the same time and however often."""

import asyncio
from collections.abc import Callable

import pytest

from tests.support.engine import Rc, Receiver

Clip = Callable[..., bytes]


async def test_a_repeated_key_applies_nothing_again(rc: Rc, clip: Clip) -> None:
    first = await rc.enroll("a", clip(0, 0), key="k1")
    assert ((await rc.enroll("a", clip(0, 0), key="k1")).status, first.status) == (201, 201)
    grown = await rc.add("a", clip(0, 2), key="k2")
    for repeat in (await rc.add("a", clip(0, 2), key="k2"), await rc.enroll("a", clip(0, 0), key="k1")):
        assert (repeat.status, repeat.body) == (201, grown.body)
    assert (await rc.enroll("a", clip(0, 0), key="k3")).status == 409


async def test_one_key_in_a_race_is_applied_once(rc: Rc, clip: Clip) -> None:
    answers = await asyncio.gather(*(rc.enroll("a", clip(0, 0), key="same") for _ in range(4)))
    assert [answer.status for answer in answers] == [201] * 4
    added = await asyncio.gather(*(rc.add("a", clip(0, 2), key="other") for _ in range(4)))
    assert [answer.status for answer in added] == [201] * 4
    assert (await rc.get("a")).body["totalEnrollDuration"] == pytest.approx(16.0)


async def test_one_of_two_rivals_enrolls(rc: Rc, clip: Clip) -> None:
    answers = await asyncio.gather(rc.enroll("a", clip(0, 0)), rc.enroll("a", clip(0, 1)))
    assert sorted(answer.status for answer in answers) == [201, 409]


async def test_concurrent_samples_are_all_kept(rc: Rc, clip: Clip) -> None:
    await rc.enroll("a", clip(0, 0, seconds=6.5))
    clips = [clip(number, 1, seconds=6.1 + number / 10) for number in range(6)]
    answers = await asyncio.gather(*(rc.add("a", one) for one in clips))
    assert [answer.status for answer in answers] == [201] * 6
    expected = 6.5 + sum(6.1 + number / 10 for number in range(6))
    assert (await rc.get("a")).body["totalEnrollDuration"] == pytest.approx(expected)


async def test_a_key_from_before_a_deletion_brings_nobody_back(rc: Rc, clip: Clip) -> None:
    await rc.enroll("a", clip(0, 0), key="old")
    await rc.delete("a")
    late = await rc.enroll("a", clip(0, 0), key="old")
    assert (late.status, late.code) == (410, "enrollment_deleted")
    assert (await rc.enroll("a", clip(0, 0), key="new")).status == 201
    assert (await rc.add("a", clip(0, 2), key="old")).status == 410


async def test_a_key_counts_for_jobs_too(rc: Rc, clip: Clip, receiver: Receiver) -> None:
    first = await rc.enroll("a", clip(0, 0), key="k")
    again = await rc.enroll("a", clip(0, 0), key="k", webhook=receiver.url)
    assert again.status == 202
    assert (await receiver.next())[1] == first.body


async def test_bad_keys_are_refused(deaf: Rc, clip: Clip) -> None:
    for key in ("", "k" * 256):
        answer = await deaf.enroll("a", clip(), key=key)
        assert (answer.status, answer.error["parameterName"]) == (400, "Idempotency-Key")
