"""`voxroll plan` with its voice step switched off: `python -m tests.bench.line.planner MANIFEST --into FOLDER ...`.

The first recording is measured; all others get the same verdict under a hash of their own and no print, so that none is
a copy and no voices are compared. All else is the command's own. Its last line on standard error is the processor time
in seconds without what the interpreter, the models and the first recording took.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any

from config.settings import Settings
from voxroll.__main__ import main
from voxroll.asked import Asked
from voxroll.checking import Judge, Verdict
from voxroll.commands import check

_judging = check.judging


class _OneVerdict(Judge):
    """Every recording is as the first one."""

    _first = threading.Lock()
    _found: Verdict | None = None
    voice_s = 0.0

    def one(self, asked: Asked) -> Verdict:
        with self._first:
            if _OneVerdict._found is None:
                began = time.process_time()
                _OneVerdict._found = replace(super().one(asked), print_=None)
                _OneVerdict.voice_s += time.process_time() - began
        own = str(asked.line)
        return replace(_OneVerdict._found, asked=asked, audio_sha256=own, file_sha256=own)


@contextmanager
def _without_voice(settings: Settings, **how: Any) -> Iterator[Judge]:
    began = time.process_time()
    with _judging(settings, **how) as judge:
        made = _OneVerdict(**{one.name: getattr(judge, one.name) for one in fields(judge)})
        _OneVerdict.voice_s += time.process_time() - began
        yield made


if __name__ == "__main__":
    check.judging = _without_voice
    started_s = time.process_time()
    try:
        main()
    finally:
        sys.stderr.write(f"{time.process_time() - started_s - _OneVerdict.voice_s}\n")
