"""Manifests of batches: kept in the object store, read piece by piece, with what was wrong with their rows beside them.

A piece is read in a thread; the manifest lies in a temporary file meanwhile, never in memory.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from worker.contract import manifest
from worker.contract.buckets import placed
from worker.contract.rows import BadRow, Row
from worker.store.batches import Fate, Plan
from worker.store.objects import BATCHES, ObjectStore

T = TypeVar("T")
_DIGITS = 12
_REWRITTEN = "manifest.jsonl"


class Problem(NamedTuple):
    """A row that was not taken.

    Attributes:
        number: of the row, from 0.
        fate: what became of it.
        line: of the manifest.
    """

    number: int
    fate: Fate
    line: int
    speaker_id: str | None
    ref: str | None
    code: str
    message: str

    def without_name(self) -> "Problem":
        """The same of somebody who is not to be named: the line says which row it is to who has the manifest."""
        return self._replace(speaker_id=None, ref=None, message="the speaker was erased or has opted out")


class Manifests:
    """The manifests of one account."""

    def __init__(self, objects: ObjectStore, *, account: str) -> None:
        self._objects = objects
        self._account = account

    async def put(self, batch_id: str, path: Path) -> None:
        """Keep a manifest."""
        await self._objects.put(f"{self._folder(batch_id)}/manifest", path)

    async def forget(self, batch_id: str) -> None:
        """Delete a manifest, and what was wrong with its rows."""
        await self._objects.forget(self._folder(batch_id))

    @asynccontextmanager
    async def opened(self, plan: Plan, *, behind: int = 0) -> AsyncIterator["Pieces"]:
        """Read a manifest from a row on.

        Raises:
            RejectError: it is no longer there.
        """
        with tempfile.TemporaryDirectory(prefix="voxroll-") as folder:
            path = Path(folder) / "manifest"
            rows = manifest.read(path, kind=await self._fetched(plan, path))
            await asyncio.to_thread(_skip, rows, behind)
            yield Pieces(rows)

    async def _fetched(self, plan: Plan, path: Path) -> str:
        """Copy a manifest to a file; returns its kind. One that was rewritten takes the place of the first."""
        folder = self._folder(plan.batch_id)
        if f"{folder}/{_REWRITTEN}" in await self._objects.below(folder):
            await self._objects.download(f"{folder}/{_REWRITTEN}", path)
            return manifest.JSONL
        await self._objects.download(f"{folder}/manifest", path)
        return plan.kind

    async def unname(self, plan: Plan, names: Collection[str]) -> None:
        """Take speakers out of the manifest of a batch that has ended, and out of its problems; rows keep their number.

        Whoever is cut short does the same again.
        """
        folder = self._folder(plan.batch_id)
        for key in await self._objects.below(f"{folder}/problems"):
            content = await self._objects.get(key) or b""
            if (after := _unnamed_problems(content, names)) != content:
                await self._objects.put(key, after)
        with tempfile.TemporaryDirectory(prefix="voxroll-") as work:
            before, after_file = Path(work) / "before", Path(work) / "after"
            kind = await self._fetched(plan, before)
            if await asyncio.to_thread(_rewritten, before, kind, after_file, names):
                await self._objects.put(f"{folder}/{_REWRITTEN}", after_file)
                await self._objects.delete(f"{folder}/manifest")

    async def not_taken(self, batch_id: str, names: Collection[str]) -> set[str]:
        """Those of some speakers who stand in rows that were not taken."""
        found = set[str]()
        for key in await self._objects.below(f"{self._folder(batch_id)}/problems"):
            content = await self._objects.get(key) or b""
            found |= await asyncio.to_thread(_named, content, names)
        return found

    async def note(self, batch_id: str, problems: Sequence[Problem], *, behind: int, rows: int) -> None:
        """Write down what was wrong with the rows of a piece; the same piece again takes the place of the first."""
        if problems:
            lines = "".join(json.dumps(problem) + "\n" for problem in problems)
            key = f"{self._folder(batch_id)}/problems/{behind:0{_DIGITS}}-{rows}"
            await self._objects.put(key, lines.encode())

    async def problems(self, batch_id: str, *, before: int) -> AsyncIterator[Problem]:
        """What was wrong with the rows before one, in order, each once."""
        seen = -1
        for key in await self._objects.below(f"{self._folder(batch_id)}/problems"):
            for line in (await self._objects.get(key) or b"").splitlines():
                problem = _problem(json.loads(line))
                if seen < problem.number < before:
                    seen = problem.number
                    yield problem

    def _folder(self, batch_id: str) -> str:
        return f"{BATCHES}/{self._account}/{batch_id}"


class Pieces:
    """The rows of a manifest, some at a time."""

    def __init__(self, rows: Iterator[Row | BadRow]) -> None:
        self._rows = rows

    async def next(self, most: int) -> list[Row | BadRow]:
        """At most so many rows; none at the end."""
        return await self.each(lambda row: row, most)

    async def each(self, made: Callable[[Row | BadRow], T], most: int) -> list[T]:
        """What is made of at most so many rows, in a thread, for that may look at files."""
        return await asyncio.to_thread(lambda: [made(row) for row in islice(self._rows, most)])

    async def count(self) -> int:
        """How many are left; reads to the end."""
        return await asyncio.to_thread(lambda: sum(1 for _ in self._rows))


def source_of(row: Row, plan: Plan) -> str:
    """Where a row's recording is; paths count from the folder of the manifest."""
    return placed(row.source, plan.folder)


def _named(content: bytes, names: Collection[str]) -> set[str]:
    told = (_problem(json.loads(line)).speaker_id for line in content.splitlines())
    return {one for one in told if one is not None and one in names}


def _unnamed_problems(content: bytes, names: Collection[str]) -> bytes:
    problems = [_problem(json.loads(line)) for line in content.splitlines()]
    told = (one.without_name() if one.speaker_id in names else one for one in problems)
    return "".join(json.dumps(one) + "\n" for one in told).encode()


def _rewritten(before: Path, kind: str, after: Path, names: Collection[str]) -> bool:
    """Write a manifest as JSON lines, an empty row for each that named one of these; whether any did."""
    is_changed = False
    with after.open("w") as file:
        for row in manifest.read(before, kind=kind):
            is_named = row.speaker_id in names
            is_changed |= is_named
            told = row.told(source=row.source) if isinstance(row, Row) and not is_named else {}
            file.write(json.dumps(told) + "\n")
    return is_changed


def _skip(rows: Iterator[Any], number: int) -> None:
    for _ in islice(rows, number):
        pass


def _problem(told: list[Any]) -> Problem:
    number, fate, *rest = told
    return Problem(number, Fate(fate), *rest)
