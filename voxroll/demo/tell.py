"""How the demo tells its progress: one line per stage once it is done, with the seconds it took."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.markup import escape

from voxroll.show import err


class Tell:
    """Prints to standard error, or nothing at all under `--json`."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[str], None]]:
        """A stage of the demo; what it yields takes the words to say when the stage is done."""
        began = time.monotonic()

        def done(words: str) -> None:
            self._print(f"[green]✓[/] [bold]{name:<11}[/]{words}  [dim]{time.monotonic() - began:.1f} s[/]")

        yield done

    def detail(self, words: str) -> None:
        """Something on the way that takes a while, such as a download."""
        self._print(f"  [dim]{escape(words)}[/]")

    def _print(self, text: str) -> None:
        if not self._quiet:
            err.print(text)
