"""One sample among others: seen, judged by the others, and taken out as if it had never been there."""

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.service.applying import already_applied, with_sample
from engine.service.enrollment import Ask, Held, Model, Verb
from engine.service.failure import ApiError
from engine.service.samples import listed, sample_id, without_sample
from engine.voice.voiceprint import SamplePrint, voiceprint
from tests.support.engine import ENROLLMENTS, Answer, Rc

Clip = Callable[..., bytes]
CENTRE = np.zeros(192, np.float32)


def heard(number: int) -> SamplePrint:
    chance = np.random.default_rng(number)
    vector, narrow = chance.standard_normal((2, 192)).astype(np.float32)
    figures = [float(value) for value in chance.uniform(0, 1, 5)]
    return SamplePrint(
        vector, 4 + 8 * figures[0], 13 + figures[1], 30 * figures[2], figures[3] / 20, figures[4],
        narrow_band=bool(number % 2), narrow_vector=narrow if number % 3 else None,
    )  # fmt: skip


def ask(number: int) -> Ask:
    return Ask(Verb.ADD, "a", key=f"k{number}", sha256=f"{number:064x}"[::-1], asked_ms=number, parameter="speakerId")


def holding(*numbers: int) -> Held:
    held = Held()
    for number in numbers:
        held = with_sample(held, ask(number), heard(number), model=Model("m"), now_ms=100 + number)
    return held


def without(held: Held, number: int) -> Held:
    assert held.alive is not None
    return without_sample(held.alive, held, ask(number).sha256[:16], now_ms=999)


@given(st.lists(st.integers(1, 40), min_size=2, max_size=8, unique=True), st.data())
def test_what_is_left_is_as_if_it_had_never_been_there(numbers: list[int], data: st.DataObject) -> None:
    gone = data.draw(st.sampled_from(numbers))
    left, never = without(holding(*numbers), gone), holding(*(n for n in numbers if n != gone))
    assert left.alive is not None
    assert never.alive is not None
    assert left.vectors == never.vectors
    assert (left.alive.samples, left.alive.status()) == (never.alive.samples, never.alive.status())
    for narrow in (False, True):
        prints = [voiceprint(held.prints(), CENTRE, narrow_band=narrow).tobytes() for held in (left, never)]
        assert prints[0] == prints[1]
    assert without_again_is_refused(left, gone)
    with pytest.raises(ApiError, match="enrollment_deleted"):
        already_applied(left, ask(gone), model=Model("m"))


def without_again_is_refused(held: Held, number: int) -> bool:
    with pytest.raises(ApiError, match="unknown_sample") as error:
        without(held, number)
    return error.value.status == 404


def test_without_the_last_sample_nothing_is_left() -> None:
    left = without(holding(1), 1)
    assert left.alive is None
    assert left.vectors == b""
    assert left.enrollment is not None
    assert left.enrollment.spent == ("k1",)


def test_ids_are_told_as_they_are_taken() -> None:
    held = holding(1, 2, 3)
    assert held.alive is not None
    assert [row["sampleId"] for row in listed(held)] == [sample_id(sample) for sample in held.alive.samples]
    assert listed(Held()) == []
    assert [row["agreement"] for row in listed(holding(1))] == [1.0]


async def samples_of(rc: Rc, speaker_id: str) -> Answer:
    return await rc.call("GET", f"{ENROLLMENTS}/{speaker_id}/samples")


async def test_a_strangers_sample_is_seen_and_taken_out(rc: Rc, clip: Clip) -> None:
    before = await rc.enroll("a", clip(0, 0), key="k0")
    for number in (1, 2):
        before = await rc.add("a", clip(0, number), key=f"k{number}")
    await rc.add("a", clip(4, 0), key="k3")
    told = (await samples_of(rc, "a")).body["records"]
    assert [one["agrees"] for one in told] == [True, True, True, False]
    assert told[3]["agreement"] < min(one["agreement"] for one in told[:3])
    path = f"{ENROLLMENTS}/a/samples/{told[3]['sampleId']}"
    left = await rc.call("DELETE", path)
    assert (left.status, left.body) == (200, before.body)
    assert (await rc.call("DELETE", path)).status == 404
    assert [one["sampleId"] for one in (await samples_of(rc, "a")).body["records"]] == [
        one["sampleId"] for one in told[:3]
    ]
    assert (await rc.add("a", clip(4, 0), key="k3")).status == 410  # a late repeat doesn't bring it back
    gone = [await rc.call("DELETE", f"{ENROLLMENTS}/a/samples/{one['sampleId']}") for one in told[:3]]
    assert [one.status for one in gone] == [200, 200, 204]
    assert (await rc.delete("a")).status == 410
    assert (await samples_of(rc, "a")).status == 404


async def test_taking_out_and_adding_at_the_same_time_lose_nothing(rc: Rc, clip: Clip) -> None:
    await rc.enroll("a", clip(0, 0, seconds=6.5))
    await rc.add("a", clip(0, 1, seconds=6.6))
    (first, second) = (await samples_of(rc, "a")).body["records"]
    *added, taken = await asyncio.gather(
        *(rc.add("a", clip(number, 2, seconds=6.1 + number / 10)) for number in range(3)),
        rc.call("DELETE", f"{ENROLLMENTS}/a/samples/{first['sampleId']}"),
    )
    assert [answer.status for answer in added] == [201] * 3
    assert taken.status == 200
    left = (await samples_of(rc, "a")).body["records"]
    assert sorted(one["audioDuration"] for one in left) == pytest.approx([6.1, 6.2, 6.3, 6.6])
    assert second["sampleId"] in [one["sampleId"] for one in left]
