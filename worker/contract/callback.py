"""The body of a callback, in both of the API's styles: the bare status of 2022, the envelope of 2024 and every failure.

Read leniently: unknown fields are let through, as the API may grow; what we rely on is checked.
"""

from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, JsonValue, ValidationError

from worker.enrollment.errors import RequestError
from worker.enrollment.record import Enrollment, Quality

_LONGEST_REASON = 500  # of a foreign text; the record stays small
_BOTH_SPELLINGS = AliasChoices("speakerId", "enrollmentId")


class EnrollmentStatus(BaseModel):
    """What the API says of a speaker. `enrollmentId` is the spelling before 2023-12."""

    model_config = ConfigDict(frozen=True)

    speaker_id: str = Field(validation_alias=_BOTH_SPELLINGS)
    complete: bool = Field(validation_alias="enrollmentComplete")
    speech_s: float = Field(validation_alias="totalSpeechDuration", ge=0, allow_inf_nan=False)
    audio_s: float = Field(0.0, validation_alias="totalEnrollDuration", ge=0, allow_inf_nan=False)
    quality: Quality | None = Field(None, validation_alias="enrollmentQuality")

    def to_enrollment(self) -> Enrollment:
        """In our words."""
        return Enrollment(audio_s=self.audio_s, speech_s=self.speech_s, complete=self.complete, quality=self.quality)


class ApiError(BaseModel):
    """One error as the API tells it."""

    error_code: str = Field("", alias="errorCode")
    message: str = ""


class ErrorBody(BaseModel):
    """The body of an API error."""

    errors: list[ApiError] = Field(min_length=1)

    def reason(self) -> tuple[str, str]:
        """Stable code and words. The engine's messages begin with our code; others keep the API's own."""
        first = self.errors[0]
        message = first.message[:_LONGEST_REASON]
        code, colon, words = message.partition(": ")
        return (
            (code, words) if colon and code.isidentifier() else ("api_refused", f"{first.error_code} {message}".strip())
        )


class Envelope(BaseModel):
    """A finished job, as the callback of 2024 and the job status tell it."""

    job_id: str | None = Field(None, alias="jobId")
    status: Literal["InProgress", "Success", "Fail"]
    response: JsonValue = None


def parse(body: bytes) -> EnrollmentStatus | ErrorBody:
    """What a callback says.

    Raises:
        RequestError: `callback_not_json` or `callback_unreadable`.
    """
    try:
        return read_result(_Body.model_validate_json(body))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        code = "callback_not_json" if first["type"] == "json_invalid" else "callback_unreadable"
        where = ".".join(map(str, first["loc"])) or "body"
        raise RequestError(
            code, f"{where}: {first['msg']}; an enrollment status or a job's result is expected"
        ) from error


class _Body(BaseModel):
    """Either style, undecided."""

    model_config = ConfigDict(extra="allow")

    status: Literal["Success", "Fail"] | None = None
    response: JsonValue = None


def read_result(body: BaseModel) -> EnrollmentStatus | ErrorBody:
    """Decide between the styles: an envelope has a `status`, the bare status of 2022 has none."""
    status, response = getattr(body, "status", None), getattr(body, "response", None)
    if status == "Fail":
        return ErrorBody.model_validate(response)
    return EnrollmentStatus.model_validate(response if status else body.model_extra)
