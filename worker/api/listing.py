"""One page of the API's list of enrollments, as both generations of the contract may write it.

Read leniently: a record that can't be read is left out, since a list that fails for one speaker tells nothing of a
hundred.
"""

from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError, field_validator

from worker.contract.callback import EnrollmentStatus


class Paging(BaseModel):
    """Where the page stands."""

    model_config = ConfigDict(frozen=True)

    total_pages: int = Field(1, validation_alias="totalPages", ge=0)


class EnrollmentPage(BaseModel):
    """Some enrollments, and how many such pages there are."""

    model_config = ConfigDict(frozen=True)

    records: tuple[EnrollmentStatus, ...] = Field((), validation_alias=AliasChoices("records", "enrollments"))
    paging: Paging = Paging()

    @property
    def total_pages(self) -> int:
        """At least 1, though an empty list may have none."""
        return max(1, self.paging.total_pages)

    @field_validator("records", mode="before")
    @classmethod
    def _readable(cls, records: Any) -> Any:
        return [record for record in records if _is_status(record)] if isinstance(records, list) else records


def _is_status(record: Any) -> bool:
    try:
        EnrollmentStatus.model_validate(record)
    except ValidationError:
        return False
    return True
