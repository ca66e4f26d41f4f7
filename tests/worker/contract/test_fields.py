"""Stretches and languages as people write them: read one way, or refused with the value, the limit and a way out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract.fields import WHOLE, FieldError, Stretch, language_of, stretch_of


@pytest.mark.parametrize(
    ("start", "end", "stretch"),
    [
        (None, None, WHOLE),
        (0, None, WHOLE),
        (90, None, Stretch(start_s=90.0)),
        (None, "90.5", Stretch(end_s=90.5)),
        ("01:30", "1:01:30.25", Stretch(start_s=90.0, end_s=3690.25)),
        ("90:00", "100:00:00", Stretch(start_s=5400.0, end_s=360_000.0)),
        (1.00049, " 2 ", Stretch(start_s=1.0, end_s=2.0)),
    ],
)
def test_a_stretch_is_told_in_seconds_or_by_the_clock(start: object, end: object, stretch: Stretch) -> None:
    assert stretch_of(start, end) == stretch


@pytest.mark.parametrize(
    ("start", "end", "field", "words"),
    [
        ("-5", None, "start", "not between 0 and 360000 s"),
        (-0.5, None, "start", "not between 0 and 360000 s"),
        (None, 10**400, "end", "not between 0 and 360000 s"),
        (float("nan"), None, "start", "not between 0 and 360000 s"),
        ("1:75", None, "start", "is no time"),
        ("1:75:00", None, "start", "is no time"),
        ("soon", None, "start", "is no time"),
        (True, None, "start", "is no time"),
        ({}, None, "start", "is no time"),
        (30, 30, "end", "30 s is not after the start at 30 s"),
        ("01:00", "00:59", "end", "59 s is not after the start at 60 s"),
        (None, 0, "end", "0 s is not after the start at 0 s"),
    ],
)
def test_what_is_no_stretch_says_why_and_what_would_do(start: object, end: object, field: str, words: str) -> None:
    with pytest.raises(FieldError, match=words) as refused:
        stretch_of(start, end)
    assert (refused.value.field, ";" in refused.value.reason) == (field, True)


@pytest.mark.parametrize(
    ("text", "tag"),
    [("en", "en"), ("EN_us", "en-US"), ("zh-hANT-tw", "zh-Hant-TW"), ("de-CH-1996", "de-CH-1996"), (None, None)],
)
def test_a_language_is_written_one_way(text: object, tag: str | None) -> None:
    assert language_of(text) == tag


@pytest.mark.parametrize("text", ["English (US)", "e", "en-", "", 7, "en-US-x-a-very-long-privateuse"])
def test_what_is_no_language_tag_is_refused(text: object) -> None:
    with pytest.raises(FieldError, match="give one like en-US"):
        language_of(text)


_ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text(alphabet="0123456789:.- ") | st.text()


@given(start=_ANY, end=_ANY, language=_ANY)
def test_any_values_are_a_stretch_or_refused(start: object, end: object, language: object) -> None:
    try:
        stretch, tag = stretch_of(start, end), language_of(language)
    except FieldError:
        return
    assert 0 <= stretch.start_s < (stretch.end_s or 360_001)
    assert tag is None or tag == language_of(tag)


@pytest.mark.parametrize(
    ("one", "other", "shares"),
    [
        (WHOLE, Stretch(start_s=50, end_s=60), True),
        (Stretch(end_s=60), Stretch(start_s=60), False),
        (Stretch(end_s=60), Stretch(start_s=59.9), True),
        (Stretch(start_s=10, end_s=20), Stretch(start_s=12, end_s=13), True),
    ],
)
def test_stretches_share_sound_or_touch_at_most(one: Stretch, other: Stretch, *, shares: bool) -> None:
    assert (one.shares(other), other.shares(one)) == (shares, shares)
