"""What a job is to do: one frozen value per kind of job, and the order that carries it through Redis. Pure.

An order is written down before its 202; from then on everything that is done for it is done by its job id.
"""

from dataclasses import dataclass
from enum import StrEnum

from engine.service.enrollment import Ask


class Kind(StrEnum):
    """Kinds of jobs."""

    ENROLL = "enroll"
    IDENTIFY = "identify"
    DIARIZE = "diarize"


@dataclass(frozen=True, slots=True)
class Identify:
    """I1: who of these speakers speaks when."""

    speaker_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Diarize:
    """D1: who speaks when.

    Attributes:
        speaker_ids: enrolled speakers who are to be called by their ids, may be none.
        speaker_count: how many people speak; None: unknown.
        by_channel: every channel has speakers of its own.
    """

    speaker_ids: tuple[str, ...]
    speaker_count: int | None
    by_channel: bool


Task = Ask | Identify | Diarize


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request that is worked off after its answer.

    Attributes:
        asked_ms: when it came in.
        api: path of the request, as the envelope tells it.
        webhook: where the result is posted; empty: it is only looked up.
        content_uri: where the audio is fetched from; empty: it came with the request and lies in the spool.
        awaited: a client waits for the result in the answer to the request itself.
    """

    job_id: str
    task: Task
    asked_ms: int
    api: str
    request_id: str
    webhook: str = ""
    content_uri: str = ""
    awaited: bool = False

    @property
    def kind(self) -> Kind:
        """The kind of its task."""
        match self.task:
            case Ask():
                return Kind.ENROLL
            case Identify():
                return Kind.IDENTIFY
            case Diarize():
                return Kind.DIARIZE

    def facts(self) -> dict[str, str]:
        """What a line of the log says of it."""
        told = {"job_id": self.job_id, "request_id": self.request_id, "kind": str(self.kind)}
        return told | ({"speaker_id": self.task.speaker_id} if isinstance(self.task, Ask) else {})
