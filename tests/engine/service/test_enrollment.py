"""The rules of one enrollment: whatever is asked in whatever order, no key counts twice and no deletion is undone."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from engine.service.applying import already_applied, tombstone, with_sample
from engine.service.enrollment import Ask, Enrollment, Held, Model, Verb
from engine.service.failure import ApiError
from engine.voice.voiceprint import SamplePrint


@dataclass(frozen=True)
class Erase:
    pass


ASKS = st.builds(
    Ask,
    st.sampled_from(Verb),
    st.just("a"),
    key=st.sampled_from("klmn"),
    sha256=st.sampled_from("0123"),
    asked_ms=st.integers(0, 30),
    parameter=st.just("speakerId"),
)


def heard(speech_s: float = 5.0, *, narrow: bool = True) -> SamplePrint:
    vector = np.ones(192, np.float32)
    return SamplePrint(
        vector=vector,
        speech_s=speech_s,
        audio_s=speech_s + 1,
        snr_db=float("inf"),
        clip_ratio=0.0,
        consistency=float("nan"),
        narrow_band=False,
        narrow_vector=vector * 2 if narrow else None,
    )


@given(st.lists(st.one_of(ASKS, st.builds(Erase)), max_size=20))
def test_no_order_of_requests_breaks_the_promises(steps: list[Ask | Erase]) -> None:
    held, erased_keys, erased_at = Held(), set[str](), -1
    for now_ms, step in enumerate(steps):
        before = held
        if isinstance(step, Erase):
            if held.alive is not None:
                erased_keys |= {sample.key for sample in held.alive.samples}
                held, erased_at = tombstone(held.alive, version=held.version, now_ms=now_ms), now_ms
                assert held.vectors == b""
            continue
        with suppress(ApiError):
            done = already_applied(held, step, model=Model("m"))
            held = held if done is not None else with_sample(held, step, heard(), model=Model("m"), now_ms=now_ms)
        if held is not before:
            assert step.key not in erased_keys
            assert step.asked_ms >= erased_at
        samples = held.alive.samples if held.alive else ()
        assert len({sample.key for sample in samples}) == len({sample.sha256 for sample in samples}) == len(samples)
        assert len(held.vectors) == len(samples) * 2 * 192 * 4
        assert len(held.prints()) == len(samples)


def test_what_is_kept_comes_back_the_same() -> None:
    ask = Ask(Verb.CREATE, "a", key="k", sha256="0", asked_ms=1, parameter="speakerId")
    held = with_sample(Held(), ask, heard(narrow=False), model=Model("m"), now_ms=2)
    kept = TypeAdapter(Enrollment)
    again = kept.validate_json(kept.dump_json(held.enrollment))  # type: ignore[arg-type]  # it is there
    assert again.samples[0].snr_db == float("inf")
    assert np.isnan(again.samples[0].consistency)
    (print_,) = held.prints()
    assert print_.narrow_vector is None
    assert np.array_equal(print_.vector, heard().vector)


def test_twelve_seconds_are_complete() -> None:
    def told(speech_s: float) -> bool:
        ask = Ask(Verb.CREATE, "a", key="k", sha256="0", asked_ms=1, parameter="speakerId")
        made = with_sample(Held(), ask, heard(speech_s), model=Model("m"), now_ms=2).enrollment
        assert made is not None
        assert made.is_complete is (made.status()["totalSpeechDuration"] >= 12.0)
        return bool(made.is_complete)

    assert not told(11.999)
    assert told(12.0)
    assert told(11.9996)  # told as 12.0, so it counts as 12.0
