"""What a worker that was started for one look tells: a line of JSON each, a summary last."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from voxroll.failure import CommandError


def lines(
    *arguments: str, failed: Callable[[str], CommandError], environment: Mapping[str, str] | None = None
) -> Iterator[dict[str, Any]]:
    """The lines of `python -m worker` with some arguments, as they come.

    Raises:
        CommandError: what `failed` makes of its log, where it ended without a summary.
    """
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(  # noqa: S603 -- our own program, no shell
            [sys.executable, "-P", "-m", "worker", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        if process.stdout is None:
            raise AssertionError("it was asked for")
        ended = False
        for text in process.stdout:
            line: dict[str, Any] = json.loads(text)
            ended = line["type"] == "summary"
            yield line
        if not ended:
            log.seek(0)
            raise failed(log.read())
