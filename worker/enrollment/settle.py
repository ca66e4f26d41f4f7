"""The doubtful attempt: was the sample applied? Told from the enrollment's audio seconds before and after.

The samples of one speaker go out one after the other, so nothing of ours but this attempt can have changed the sum.
Sums that stayed as they were say little while the API may still be at work: repeating a change then would be a guess.
"""

from worker.enrollment.record import AttemptOutcome

NO_TRACE = "no_trace"  # code of an attempt that is taken for not applied because the API shows nothing of it
SLACK_S = 0.5  # the API may round, or drop a codec's padding; samples have 6 s at least


def settle(
    *, before_s: float, after_s: float, sample_s: float | None, may_repeat: bool = True
) -> AttemptOutcome | None:
    """How the attempt ended, or None if the sums don't tell.

    Args:
        before_s: audio seconds of the enrollment when the attempt began.
        after_s: audio seconds now; 0 if there is no enrollment.
        sample_s: audio seconds of the sample; None if they were forgotten because the speaker was erased: then all that
            the API holds is taken for the sample's, as it has to go.
        may_repeat: whether the attempt may be repeated if it left no trace: the API would know it again, or it can't
            be at work on it any more.
    """
    grown_s = after_s - (0.0 if sample_s is None else before_s)
    is_applied = grown_s > SLACK_S if sample_s is None else abs(grown_s - sample_s) <= SLACK_S
    if is_applied:
        return AttemptOutcome.APPLIED
    return AttemptOutcome.NOT_APPLIED if may_repeat and abs(grown_s) <= SLACK_S else None
