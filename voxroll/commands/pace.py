"""One line of a terminal that shows how a batch gets on: done, failed, left, how fast, how long, the first reasons."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.text import Text

from config.settings import load
from voxroll.client import Client
from voxroll.documents import Batch
from voxroll.show import err

_REASONS = 5
_ASK_EVERY_S = 5.0
_FAILED = ("failed", "incomplete")


class Pace:
    """How a batch gets on, from the first look at it.

    Args:
        live: where it is shown; None: nowhere.
        allowed: calls a minute; 0: any number.
    """

    def __init__(self, live: Live | None, *, allowed: float = 0) -> None:
        self._live = live
        self._allowed = f" of {allowed:,.0f}" if allowed else ""
        self._first: tuple[float, float, int] | None = None
        self._reasons: dict[str, None] = {}
        self._asked_s = 0.0

    async def show(self, client: Client, batch: Batch) -> None:
        """Show a batch."""
        if self._live is None:
            return
        now_s = time.monotonic()
        is_due = now_s - self._asked_s >= _ASK_EVERY_S and len(self._reasons) < _REASONS
        if is_due and any(batch.speakers.get(state) for state in _FAILED):
            self._asked_s = now_s
            await self._ask(client, batch)
        self._live.update(Text(self.words(batch, now_s=now_s)))

    def words(self, batch: Batch, *, now_s: float) -> str:
        """A batch in words; speeds are those since the first look."""
        rows, speakers = batch.rows, sum(batch.speakers.values())
        done = rows.read * (1 - batch.under_way() / speakers if speakers else 1.0)
        self._first = self._first or (now_s, done, batch.calls)
        minutes = (now_s - self._first[0]) / 60
        speed = (done - self._first[1]) / minutes if minutes > 0 else 0.0
        calls = (batch.calls - self._first[2]) / minutes if minutes > 0 else 0.0
        failed = sum(batch.speakers.get(state, 0) for state in _FAILED)
        told = [
            f"{batch.state}  {rows.read:,} of {rows.total or 0:,} rows",
            f"{batch.speakers.get('complete', 0):,} complete",
            f"{failed:,} not",
            f"{batch.under_way():,} under way",
            f"{rows.bad + rows.blocked:,} rows not taken",
            f"{speed:,.0f} rows/min",
            f"{calls:,.0f}{self._allowed} calls/min",
            *([f"{((rows.total or 0) - done) / speed:,.0f} min left"] if speed > 0 else []),
            *self._reasons,
        ]
        return ", ".join(told)

    async def _ask(self, client: Client, batch: Batch) -> None:
        """The first reasons why speakers did not become complete."""
        for state in _FAILED:
            number = 0
            async for speaker in client.speakers(batch=batch.batch_id, state=state):
                self._reasons |= {sample.code: None for sample in speaker.unused() if sample.code}
                number += 1
                if number == _REASONS:
                    break


@contextmanager
def pace(*, quiet: bool) -> Iterator[Pace]:
    """Shows for as long as the block lasts; it leaves no trace."""
    if quiet or not err.is_terminal:
        yield Pace(None)
        return
    api = load().api
    with Live(console=err, transient=True) as live:
        yield Pace(live, allowed=api.calls * 60 / api.window.total_seconds())
