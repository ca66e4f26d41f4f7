"""What the API's answer to a sample means: one of a few plain replies. Pure; the calls are made in `client`."""

from dataclasses import dataclass
from http import HTTPStatus

from pydantic import BaseModel, ValidationError

from worker.contract.callback import EnrollmentStatus, ErrorBody

WITHDRAWN = "the API has no enrollments (404 on the collection); set VOXROLL_API_BASE_URL to the embedded engine"


@dataclass(frozen=True, slots=True)
class Applied:
    """The sample counts; this is the enrollment now."""

    status: EnrollmentStatus


@dataclass(frozen=True, slots=True)
class Accepted:
    """The result will come by callback."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The API looked at the sample and won't have it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class NotApplied:
    """Certainly nothing happened; it may be tried again."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Doubtful:
    """It may have been applied or not."""

    code: str
    message: str


Reply = Applied | Accepted | Refused | NotApplied | Doubtful


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: HTTP status and body."""

    status: int
    body: bytes


class _JobAccepted(BaseModel):
    jobId: str  # noqa: N815 -- wire name


def reply_of(answer: Answer, *, create: bool) -> Reply:  # noqa: PLR0911 -- one line per status
    """What the API made of a sample; `create`: it was asked for a new enrollment."""
    match answer.status:
        case HTTPStatus.OK | HTTPStatus.CREATED:
            return _applied(answer.body)
        case HTTPStatus.ACCEPTED:
            return _accepted(answer.body)
        case HTTPStatus.CONFLICT if create:
            return NotApplied("exists", "the API already has an enrollment of this id; it will be added to")
        case HTTPStatus.NOT_FOUND if create:
            return NotApplied("api_withdrawn", WITHDRAWN)
        case HTTPStatus.NOT_FOUND | HTTPStatus.GONE:
            return NotApplied("not_enrolled", "the API has no enrollment of this id (any more); it will be created")
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return NotApplied("api_forbidden", f"{': '.join(_reason(answer))}; run `voxroll doctor`")
        case HTTPStatus.TOO_MANY_REQUESTS:
            return NotApplied("rate_limited", "429: all workers pause for the penalty")
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return NotApplied("api_unavailable", "503")
        case status if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Doubtful("api_failed", f"{status}")
        case _:
            return Refused(*_reason(answer))


def _applied(body: bytes) -> Reply:
    try:
        return Applied(EnrollmentStatus.model_validate_json(body))
    except ValidationError:
        return Doubtful("api_unreadable", "a 201 whose body can't be read")


def _accepted(body: bytes) -> Reply:
    try:
        return Accepted(_JobAccepted.model_validate_json(body).jobId)
    except ValidationError:
        return Doubtful("api_unreadable", "a 202 without a job id")


def _reason(answer: Answer) -> tuple[str, str]:
    try:
        return ErrorBody.model_validate_json(answer.body).reason()
    except ValidationError:
        return ("api_refused", f"{answer.status} without a reason")
