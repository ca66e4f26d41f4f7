"""What every bench hands in: bars with their targets, a table on the terminal, and one JSON file.

A bench measures and says whether each bar holds; it doesn't fail when one doesn't. All numbers are medians with their
spread. The JSON names machine and versions, since a number without them says nothing.
"""

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

_WIDTH = 150  # of a table that goes into a file or a CI log


@dataclass(frozen=True, slots=True)
class Bar:
    """A number with the target it is held against; `value` None: not measured in this run."""

    name: str
    value: float | None
    target: float
    unit: str
    direction: Literal["at least", "at most"] = "at least"

    @property
    def holds(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.target if self.direction == "at least" else self.value <= self.target


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, lowest and highest of repeated measurements."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.median:,.0f}"
        return f"{self.median:,.0f}\n{self.low:,.0f}..{self.high:,.0f}"


def machine() -> dict[str, Any]:
    """What the numbers depend on; `load` is what others did on the machine in the last minute."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def versions(*names: str) -> dict[str, str]:
    """The installed versions of packages, by name."""
    return {name: version(name) for name in names}


def table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table; the first column is the name, numbers stand to the right."""
    shown = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        words = number == 0 or column.islower()
        shown.add_column(column, justify="left" if words else "right", overflow="fold")
    for row in rows:
        shown.add_row(*row)
    _console().print(shown)


def bars(title: str, measured: Sequence[Bar]) -> None:
    """Print the bars and whether they hold."""
    answers = {True: "yes", False: "NO", None: "not measured"}
    table(
        title,
        ("bar", "Measured", "Target", "unit", "holds"),
        (
            (
                bar.name,
                "-" if bar.value is None else f"{bar.value:,.2f}",
                f"{bar.direction} {bar.target:,.2f}",
                bar.unit,
                answers[bar.holds],
            )
            for bar in measured
        ),
    )


def write(path: Path, measured: Sequence[Bar], **rest: Any) -> None:
    """Write the JSON report: {"machine", ..., "bars": [{"name", "value", "target", "unit", "direction", "holds"}]}."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine(), **rest, "bars": [asdict(bar) | {"holds": bar.holds} for bar in measured]}
    path.write_text(json.dumps(document, indent=2) + "\n")
    _console().print(f"written: {path}")


def say(text: str) -> None:
    """Print one line of progress."""
    _console().print(text, highlight=False, markup=False)


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
