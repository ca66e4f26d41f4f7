"""What is missing is told in words, in whichever of the two shapes a process reports its checks."""

import pytest

from voxroll.up.readiness import describe


@pytest.mark.parametrize(
    "checks",
    [
        {"redis": "ok", "worker": "no worker has been seen"},
        {"redis": True, "worker": {"ok": False, "detail": "no worker has been seen"}},
        [{"name": "redis", "ok": True}, {"name": "worker", "ok": False, "detail": "no worker has been seen"}],
    ],
)
def test_only_what_is_missing_is_told(checks: object) -> None:
    assert describe({"checks": checks}) == "worker: no worker has been seen"


@pytest.mark.parametrize("body", [None, [], "down", {}, {"checks": None}])
def test_a_body_of_another_kind_tells_nothing_and_breaks_nothing(body: object) -> None:
    assert describe(body) == ""
