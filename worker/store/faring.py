"""How endpoints and the events on their way to them fare, as values."""

from dataclasses import dataclass
from typing import NamedTuple

from worker.store.endpoint import Endpoint


class Known(NamedTuple):
    """All endpoints of an account, the oldest first; and by id why some can't be read."""

    readable: list[Endpoint]
    unreadable: dict[str, str]


class Stand(NamedTuple):
    """Up to where an endpoint looked at the stream, and how many events wait for it in lanes."""

    place: str
    queued: int


class Whereabouts(NamedTuple):
    """Where an event stands on its way to an endpoint.

    `before`: so many of its speaker go out first; None: it waits in no lane. `tries` so far and `due_ms` of the next,
    if it is the first. `at`: up to where the stream was looked at.
    """

    before: int | None
    is_given_up: bool
    tries: int
    due_ms: int
    at: str


class Waiting(NamedTuple):
    """A lane that is due: its first events by their places in the stream, and the tries of the first so far."""

    name: str
    places: tuple[str, ...]
    tries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fared:
    """How a lane fared.

    Attributes:
        done: places of the events that need no further try, in order.
        forgotten: of those, how many the stream no longer had.
        failed: the place of the event after those, if its try failed.
        failure: how it ended.
        again_ms: when that one is tried again; None: it is given up.
    """

    done: tuple[str, ...]
    forgotten: int = 0
    failed: str = ""
    failure: str = ""
    again_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint does.

    Attributes:
        delivered: events that it took.
        failed: tries that it did not.
        given_up: events that used up their tries.
        forgotten: events that the stream no longer had when their turn came.
        failing: tries since the last that it took.
        answer: how the last try ended.
        tried_ms: when that was, ms since 1970; 0: never.
        taken_ms: when it last took one.
        missed_ms: events before this were forgotten by the stream before this endpoint got to them; 0: none.
        queued: events that wait in lanes.
        waiting: speakers with something left.
    """

    delivered: int = 0
    failed: int = 0
    given_up: int = 0
    forgotten: int = 0
    failing: int = 0
    answer: str = ""
    tried_ms: int = 0
    taken_ms: int = 0
    missed_ms: int = 0
    queued: int = 0
    waiting: int = 0
