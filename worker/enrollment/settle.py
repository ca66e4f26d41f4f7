"""The doubtful attempt: was the sample applied? Told from the enrollment's audio seconds before and after.

The samples of one speaker go out one after the other, so nothing of ours but this attempt can have changed the sum.
"""

from worker.enrollment.record import AttemptOutcome

_SLACK_S = 0.5  # the API may round, or drop a codec's padding; samples have 6 s at least


def settle(*, before_s: float, after_s: float, sample_s: float) -> AttemptOutcome | None:
    """How the attempt ended, or None if the sums don't tell.

    Args:
        before_s: audio seconds of the enrollment when the attempt began.
        after_s: audio seconds now; 0 if there is no enrollment.
        sample_s: audio seconds of the sample.
    """
    if abs(after_s - before_s - sample_s) <= _SLACK_S:
        return AttemptOutcome.APPLIED
    if abs(after_s - before_s) <= _SLACK_S:
        return AttemptOutcome.NOT_APPLIED
    return None
