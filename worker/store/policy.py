"""The core's policy, as the settings say it."""

from config.settings import Settings
from worker.enrollment.steps import Policy


def policy_of(settings: Settings) -> Policy:
    """How long to wait and how often to try."""
    worker = settings.worker
    return Policy(answer_deadline=worker.answer_deadline, give_up=worker.give_up, max_attempts=worker.max_attempts)
