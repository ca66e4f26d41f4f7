"""A progress bar on a terminal, on standard error; silent where nobody watches (a pipe, `--json`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from voxroll.show import err

if TYPE_CHECKING:
    from rich.progress import Progress


class Steps(Protocol):
    """Where a command tells how far it is."""

    def total(self, what: str, count: int) -> None:
        """A new stage begins, with so many steps."""

    def step(self, note: str = "") -> None:
        """One step is done."""

    def at(self, done: int) -> None:
        """So many steps are done."""


class _Bar:
    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None, note="", visible=False)  # shown once there is something to count

    def total(self, what: str, count: int) -> None:
        self._progress.reset(self._task, total=count, description=what, note="", visible=True)

    def step(self, note: str = "") -> None:
        self._progress.update(self._task, advance=1, note=note)

    def at(self, done: int) -> None:
        self._progress.update(self._task, completed=done, note="")


class _Silence:
    def total(self, what: str, count: int) -> None:
        """Say nothing."""

    def step(self, note: str = "") -> None:
        """Say nothing."""

    def at(self, done: int) -> None:
        """Say nothing."""


@contextmanager
def steps(*, quiet: bool = False) -> Iterator[Steps]:
    """A bar for as long as the block lasts; it leaves no trace."""
    if quiet or not err.is_terminal:
        yield _Silence()
        return
    from rich.progress import (  # noqa: PLC0415  (only who is watched pays for it)
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*columns, console=err, transient=True) as progress:
        yield _Bar(progress)
