"""One endpoint as Redis keeps it: where events are posted to, which, and what signs them.

Whoever meets a document that was damaged, or was written by a newer version, is told so and leaves it as it is.
"""

import json
from dataclasses import dataclass
from datetime import datetime

from worker.enrollment.errors import UnreadableError


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """What signs; `until` is when a replaced one ends."""

    value: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where events are posted.

    Attributes:
        types: names of the catalogue, with stars; none is all.
        is_full: the speaker's document comes along.
        secrets: the newest first; all that have not ended sign.
        disabled: why nothing is sent; empty while something is.
    """

    endpoint_id: str
    url: str
    types: tuple[str, ...]
    is_full: bool
    description: str
    created_at: datetime
    secrets: tuple[Secret, ...]
    disabled: str = ""

    def signing(self, now: datetime) -> tuple[str, ...]:
        """The secrets that sign now."""
        return tuple(one.value for one in self.secrets if one.until is None or one.until > now)


def packed(endpoint: Endpoint) -> str:
    """The endpoint as it is kept."""
    return json.dumps(
        {
            "id": endpoint.endpoint_id,
            "url": endpoint.url,
            "types": endpoint.types,
            "full": endpoint.is_full,
            "description": endpoint.description,
            "createdAt": endpoint.created_at.isoformat(),
            "secrets": [[one.value, one.until.isoformat() if one.until else None] for one in endpoint.secrets],
            "disabled": endpoint.disabled,
        }
    )


def unpacked(endpoint_id: str, blob: bytes) -> Endpoint:
    """The endpoint of an id.

    Raises:
        UnreadableError: `endpoint_unreadable`.
    """
    try:
        told = json.loads(blob)
        found = Endpoint(
            endpoint_id=told.pop("id"),
            url=told.pop("url"),
            types=tuple(told.pop("types")),
            is_full=told.pop("full"),
            description=told.pop("description"),
            created_at=datetime.fromisoformat(told.pop("createdAt")),
            secrets=tuple(
                Secret(value=value, until=datetime.fromisoformat(until) if until else None)
                for value, until in told.pop("secrets")
            ),
            disabled=told.pop("disabled"),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UnreadableError("endpoint", endpoint_id, "is damaged") from error
    if told or not found.secrets or found.endpoint_id != endpoint_id:
        raise UnreadableError("endpoint", endpoint_id, "is damaged, or was written by a newer version")
    return found
