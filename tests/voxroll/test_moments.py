"""Times that were, as people write them."""

from datetime import UTC, datetime, timedelta

import pytest

from voxroll.commands.duration import moment
from voxroll.failure import CommandError


def test_a_clock_is_the_last_time_that_it_showed_that() -> None:
    now = datetime.now().astimezone()
    ago = now - moment(f"{now:%H:%M}")
    assert timedelta(0) <= ago < timedelta(minutes=1, seconds=1)
    soon = now + timedelta(minutes=2)
    assert timedelta(hours=22) < now - moment(f"{soon:%H:%M}") < timedelta(hours=25)


def test_days_begin_at_midnight_here() -> None:
    today = moment("today")
    assert (today.hour, today.minute, today.second) == (0, 0, 0)
    assert timedelta(hours=22) < today - moment("yesterday") < timedelta(hours=26)


def test_iso_and_durations() -> None:
    assert moment("2026-11-21T09:00:00+00:00") == datetime(2026, 11, 21, 9, tzinfo=UTC)
    at = moment("2h")
    assert timedelta(hours=2) <= datetime.now(UTC) - at < timedelta(hours=2, minutes=1)


@pytest.mark.parametrize("text", ["25:00", "09:60", "last week", "tomorrow", ""])
def test_what_is_no_time_is_told(text: str) -> None:
    with pytest.raises(CommandError, match="bad_time"):
        moment(text)
