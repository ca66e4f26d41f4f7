"""A doubtful attempt is judged by sums that fit, and by nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.enrollment.record import AttemptOutcome
from worker.enrollment.settle import SLACK_S, settle

_SECONDS = st.floats(0, 600)


@given(before_s=_SECONDS, after_s=_SECONDS, sample_s=st.floats(6, 30))
def test_only_sums_that_fit_tell(before_s: float, after_s: float, sample_s: float) -> None:
    known = {"before_s": before_s, "after_s": after_s, "sample_s": sample_s}
    bold, careful = settle(**known, may_repeat=True), settle(**known, may_repeat=False)
    if abs(after_s - before_s - sample_s) <= SLACK_S:
        assert bold is careful is AttemptOutcome.APPLIED
    elif abs(after_s - before_s) <= SLACK_S:
        assert (bold, careful) == (AttemptOutcome.NOT_APPLIED, None)
    else:
        assert bold is careful is None


@pytest.mark.parametrize(
    ("after_s", "may_repeat", "outcome"),
    [
        (15.0, False, AttemptOutcome.APPLIED),
        (15.0, True, AttemptOutcome.APPLIED),
        (0.0, True, AttemptOutcome.NOT_APPLIED),
        (0.0, False, None),
    ],
)
def test_of_an_erased_speaker_only_what_the_api_holds_now_counts(
    after_s: float, outcome: AttemptOutcome | None, *, may_repeat: bool
) -> None:
    assert settle(before_s=30.0, after_s=after_s, sample_s=None, may_repeat=may_repeat) is outcome
