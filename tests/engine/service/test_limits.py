"""The penalising provider: never more than the limit in any window, and a penalty that every call restarts."""

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Engine, Settings
from engine.service.limits import Bucket, Limiter, Verdict
from tests.support.engine import client_of, running_engine

WHO = Bucket("app", "anna")
_WINDOW_S, _PENALTY_S = 60.0, 60.0
_ULP_S = 1e-9  # what a sum of floats may lack


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def limiter(clock: Clock, *, calls: int = 10) -> Limiter:
    window, penalty = timedelta(seconds=_WINDOW_S), timedelta(seconds=_PENALTY_S)
    return Limiter(calls=calls, window=window, penalty=penalty, clock=clock)


def test_so_many_pass_and_the_next_is_punished() -> None:
    clock = Clock()
    one = limiter(clock, calls=3)
    assert [one.ask(WHO).remaining for _ in range(3)] == [2, 1, 0]
    assert one.ask(WHO) == Verdict(passes=False, remaining=0, retry_after_s=60.0)


def test_a_place_is_free_again_one_window_after_its_call() -> None:
    clock = Clock()
    one = limiter(clock, calls=2)
    one.ask(WHO)
    clock.now += 10
    one.ask(WHO)
    clock.now += 50
    assert one.ask(WHO).passes
    assert not one.ask(WHO).passes


def test_any_call_restarts_the_penalty() -> None:
    clock = Clock()
    one = limiter(clock, calls=1)
    one.ask(WHO)
    assert not one.ask(WHO).passes
    for _ in range(5):
        clock.now += 59.9
        assert not one.ask(WHO).passes
    clock.now += 60
    assert one.ask(WHO).passes


def test_buckets_are_apart() -> None:
    one = limiter(Clock(), calls=1)
    assert one.ask(WHO).passes
    assert not one.ask(WHO).passes
    assert one.ask(Bucket("app", "berta")).passes
    assert one.ask(Bucket("other", "anna")).passes


@given(
    gaps=st.lists(st.one_of(st.floats(0, 5), st.floats(0, 130), st.sampled_from([60.0, 59.999])), max_size=80),
    calls=st.integers(1, 6),
)
def test_no_window_ever_holds_more_and_no_call_passes_in_a_penalty(gaps: list[float], calls: int) -> None:
    clock = Clock()
    one = limiter(clock, calls=calls)
    passed, all_asked, refused = list[float](), list[float](), list[float]()
    for gap in gaps:
        clock.now += gap
        (passed if one.ask(WHO).passes else refused).append(clock.now)
        all_asked.append(clock.now)
    for first, later in zip(passed, passed[calls:], strict=False):
        assert later - first >= _WINDOW_S - _ULP_S
    for before, after in pairwise(all_asked):
        assert after - before >= _PENALTY_S - _ULP_S or before not in refused or after in refused


def test_headers_are_whole_seconds() -> None:
    one = limiter(Clock(), calls=10)
    assert one.headers(one.ask(WHO)) == {
        "X-Rate-Limit-Group": "heavy",
        "X-Rate-Limit-Limit": "10",
        "X-Rate-Limit-Remaining": "9",
        "X-Rate-Limit-Window": "60",
    }
    short = Limiter(calls=1, window=timedelta(seconds=0.5), penalty=timedelta(seconds=1.2), clock=Clock())
    short.ask(WHO)
    told = short.headers(short.ask(WHO))
    assert (told["X-Rate-Limit-Window"], told["Retry-After"]) == ("1", "2")


async def test_the_engine_has_no_limit_unless_it_is_set(settings: Settings) -> None:
    async with running_engine(settings, hears=False) as rc:
        answer = await rc.get("nobody")
    assert not [name for name in answer.headers if name.startswith("X-Rate-Limit")]


@pytest.fixture
def penalising(settings: Settings) -> Settings:
    engine: Engine = settings.engine.model_copy(update={"calls": 3})
    return settings.model_copy(update={"engine": engine})


async def test_the_engine_plays_the_penalising_provider(penalising: Settings) -> None:
    async with running_engine(penalising, hears=False) as rc:
        answers = [await rc.get("nobody") for _ in range(4)]
        assert [one.status for one in answers] == [404, 404, 404, 429]
        assert [one.headers["X-Rate-Limit-Remaining"] for one in answers] == ["2", "1", "0", "0"]
        refused = answers[-1]
        assert refused.headers["Retry-After"] == "60"
        assert (refused.error["errorCode"], refused.code) == ("CMN-301", "rate_limited")
        async with client_of(rc.url, penalising) as same_client_with_a_new_token:
            assert (await same_client_with_a_new_token.get("nobody")).status == 429


async def test_a_penalising_engine_has_the_limit_of_ringcentral(settings: Settings) -> None:
    engine = settings.engine.model_copy(update={"faults": "penalising"})
    async with running_engine(settings.model_copy(update={"engine": engine}), hears=False) as rc:
        assert [(await rc.get("nobody")).status for _ in range(11)] == [*[404] * 10, 429]


async def test_other_clients_go_on_and_what_has_no_token_is_not_counted(penalising: Settings) -> None:
    async with running_engine(penalising, hears=False) as rc:
        for _ in range(5):
            answer = await rc.call("GET", "/ai/audio/v1/enrollments", headers={"Authorization": "Bearer no"})
            assert answer.status == 401
            assert (await rc.call("GET", "/healthz")).status == 200
        assert [(await rc.get("nobody")).status for _ in range(4)] == [404, 404, 404, 429]
        assert (await rc.call("GET", "/healthz")).status == 200
