"""A client of the front door for asyncio programs and for the command line.

    async with Client() as voxroll:
        await voxroll.enroll("anna", [Path("monday.wav"), "https://example.org/tuesday.mp3"])
        anna = await voxroll.wait("anna")

Files are streamed, never read whole. Every failure is a `CommandError`: the front door's own code where it answered,
`front_door_unreachable` (exit code 69) where it didn't.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from voxroll.batching import Batching
from voxroll.documents import Speaker
from voxroll.door import once
from voxroll.failure import CommandError
from voxroll.listing import Listing, speaker_of
from voxroll.told import Told

_POLL_S = (0.15, 2.0)  # first and longest pause between two looks at a speaker


Order = tuple[str, Sequence[Path | str]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the recordings of one speaker fared: the speaker once settled, or why they were not taken in."""

    speaker_id: str
    speaker: Speaker | None = None
    error: CommandError | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the speaker's enrollment is complete."""
        return self.speaker is not None and self.speaker.enrollment_complete


class Client(Batching, Listing, Told):
    """Speaks to one front door; use it as `async with Client() as voxroll`."""

    async def enroll(
        self, speaker_id: str, recordings: Sequence[Path | str], *, batch: str | None = None, wait_s: float = 0.0
    ) -> Speaker:
        """Hand in recordings of one speaker: paths are uploaded, http(s) URLs are fetched by the front door.

        `batch` is a name of the caller's, to list those speakers by. With `wait_s` the answer comes once these
        recordings are measured, or after so many seconds (30 at most), and says of each which stretch was found or why
        none was; no call to the API need have been made by then.

        Raises:
            CommandError: a file can't be read, or the front door refused; nothing of this call was taken in then,
                except when both files and URLs were given and the second part was refused.
        """
        files = [item for item in recordings if isinstance(item, Path)]
        urls = [item for item in recordings if isinstance(item, str)]
        document: dict[str, Any] = {}
        loop = asyncio.get_running_loop()
        end_s = loop.time() + wait_s
        if urls:
            body = {"speakerId": speaker_id, "recordings": [{"source": url} for url in urls], "batch": batch}
            document = await self.ask("POST", "/v1/enrollments", json=body, headers=_waiting(wait_s))
        if files:
            headers = once() | _waiting(end_s - loop.time())
            document = await self._upload(speaker_id, files, batch=batch, headers=headers)
        return speaker_of(document)

    async def enroll_many(
        self,
        orders: AsyncIterable[Order] | Iterable[Order],
        *,
        batch: str | None = None,
        at_once: int = 32,
    ) -> AsyncGenerator[Outcome, None]:
        """Hand in recordings of many speakers; gives each speaker's outcome as it settles, in no order.

        What is refused is the outcome of that speaker alone, and the others go on. `orders` are pairs of a speaker id
        and recordings, and are read no further than `at_once` ahead of what has settled.
        """
        under_way: set[asyncio.Task[Outcome]] = set()
        try:
            async for speaker_id, recordings in _each(orders):
                under_way.add(asyncio.create_task(self._outcome(speaker_id, recordings, batch=batch)))
                while len(under_way) >= at_once:
                    done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        yield task.result()
            while under_way:
                done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _outcome(self, speaker_id: str, recordings: Sequence[Path | str], *, batch: str | None) -> Outcome:
        try:
            await self.enroll(speaker_id, recordings, batch=batch)
            return Outcome(speaker_id, speaker=await self.wait(speaker_id))
        except CommandError as error:
            return Outcome(speaker_id, error=error)

    async def _upload(
        self, speaker_id: str, files: list[Path], *, batch: str | None, headers: dict[str, str]
    ) -> dict[str, Any]:
        return await self.patiently(lambda: self._upload_once(speaker_id, files, batch=batch, headers=headers))

    async def _upload_once(
        self, speaker_id: str, files: list[Path], *, batch: str | None, headers: dict[str, str]
    ) -> dict[str, Any]:
        async with AsyncExitStack() as opened:
            form = aiohttp.FormData()
            form.add_field("speakerId", speaker_id)
            if batch is not None:
                form.add_field("batch", batch)
            for file in files:
                content = await asyncio.to_thread(open_recording, file)
                opened.callback(content.close)
                form.add_field("recording", content, filename=file.name, content_type="application/octet-stream")
            return await self.ask_once("POST", "/v1/enrollments", data=form, headers=headers)

    async def speaker(self, speaker_id: str) -> Speaker:
        """What is known of one speaker; `CommandError` with code `speaker_unknown` where nothing is."""
        return speaker_of(await self.ask("GET", f"/v1/speakers/{quote(speaker_id, safe='')}"))

    async def erase(self, speaker_id: str) -> Speaker:
        """Forget a speaker for good: audio, enrollment and record; whoever is erased is never enrolled again."""
        return speaker_of(await self.ask("DELETE", f"/v1/speakers/{quote(speaker_id, safe='')}"))

    async def retry(self, speaker_id: str) -> Speaker:
        """Try once more what failed for a reason that may have passed; `nothing_to_retry` where nothing did."""
        return speaker_of(await self.ask("POST", f"/v1/speakers/{quote(speaker_id, safe='')}/retry"))

    async def decide(self, speaker_id: str, recording_id: str, *, accept: bool) -> Speaker:
        """Have a held sample handed in, or never."""
        path = f"/v1/speakers/{quote(speaker_id, safe='')}/recordings/{quote(recording_id, safe='')}"
        return speaker_of(await self.ask("POST", f"{path}/{'accept' if accept else 'reject'}"))

    async def watch(self, speaker_id: str) -> AsyncIterator[Speaker]:
        """The speaker now and again, ever less often, until nothing more is under way."""
        pause_s, longest_s = _POLL_S
        while True:
            found = await self.speaker(speaker_id)
            yield found
            if found.settled:
                return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, longest_s)

    async def wait(self, speaker_id: str, *, timeout_s: float | None = None) -> Speaker:
        """Wait until nothing more is under way for this speaker.

        Raises:
            TimeoutError: it took longer.
        """
        async with asyncio.timeout(timeout_s):
            async for found in self.watch(speaker_id):
                if found.settled:
                    return found
        raise AssertionError("watch ends with a settled speaker")

    async def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether the front door can work, and the checks it reports."""
        answer = await self.answer("GET", "/readyz")
        return answer.is_ok, answer.body


async def _each(orders: AsyncIterable[Order] | Iterable[Order]) -> AsyncIterator[Order]:
    if isinstance(orders, AsyncIterable):
        async for order in orders:
            yield order
    else:
        for order in orders:
            yield order


def _waiting(wait_s: float) -> dict[str, str]:
    """The header that asks the front door to wait with its answer."""
    return {"Prefer": f"wait={math.ceil(wait_s)}"} if wait_s > 0 else {}


def open_recording(file: Path) -> Any:
    """Open a file to read; a `CommandError` that names it where that is not possible."""
    try:
        return file.open("rb")
    except FileNotFoundError as error:
        raise CommandError("file_not_found", f"{file} does not exist") from error
    except IsADirectoryError as error:
        raise CommandError("file_is_folder", f"{file} is a folder; `--dir` takes folders") from error
    except OSError as error:
        raise CommandError("file_unreadable", f"{file} can't be read: {error.strerror}") from error
