"""A client of the front door for asyncio programs and for the command line.

    async with Client() as voxroll:
        await voxroll.enroll("anna", [Path("monday.wav"), "https://example.org/tuesday.mp3"])
        anna = await voxroll.settled("anna")

Files are streamed, never read whole. Every failure is a `CommandError`: the front door's own code where it answered,
`front_door_unreachable` (exit code 69) where it didn't.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ValidationError

from voxroll.batching import Batching
from voxroll.documents import Callback, Endpoint, Event, Speaker
from voxroll.failure import CommandError
from voxroll.following import follow

D = TypeVar("D", bound=BaseModel)
_POLL_S = (0.15, 2.0)  # first and longest pause between two looks at a speaker


class Client(Batching):
    """Speaks to one front door; use it as `async with Client() as voxroll`."""

    async def enroll(self, speaker_id: str, recordings: Sequence[Path | str], *, batch: str | None = None) -> Speaker:
        """Hand in recordings of one speaker: paths are uploaded, http(s) URLs are fetched by the front door.

        `batch` is a name of the caller's, to list those speakers by.

        Raises:
            CommandError: a file can't be read, or the front door refused; nothing of this call was taken in then,
                except when both files and URLs were given and the second part was refused.
        """
        files = [item for item in recordings if isinstance(item, Path)]
        urls = [item for item in recordings if isinstance(item, str)]
        document: dict[str, Any] = {}
        if urls:
            body = {"speakerId": speaker_id, "recordings": [{"source": url} for url in urls], "batch": batch}
            document = await self.ask("POST", "/v1/enrollments", json=body)
        if files:
            document = await self._upload(speaker_id, files, batch=batch)
        return _speaker(document)

    async def _upload(self, speaker_id: str, files: list[Path], *, batch: str | None) -> dict[str, Any]:
        async with AsyncExitStack() as opened:
            form = aiohttp.FormData()
            form.add_field("speakerId", speaker_id)
            if batch is not None:
                form.add_field("batch", batch)
            for file in files:
                content = await asyncio.to_thread(open_recording, file)
                opened.callback(content.close)
                form.add_field("recording", content, filename=file.name, content_type="application/octet-stream")
            return await self.ask("POST", "/v1/enrollments", data=form)

    async def speaker(self, speaker_id: str) -> Speaker:
        """What is known of one speaker; `CommandError` with code `speaker_unknown` where nothing is."""
        return _speaker(await self.ask("GET", f"/v1/speakers/{quote(speaker_id, safe='')}"))

    async def speakers(
        self,
        *,
        state: str | None = None,
        quality: str | None = None,
        batch: str | None = None,
        changed_after: datetime | None = None,
        changed_before: datetime | None = None,
    ) -> AsyncIterator[Speaker]:
        """All speakers that fit each condition given, newest change first, page by page."""
        wanted = {
            "state": state,
            "quality": quality,
            "batch": batch,
            "changedAfter": changed_after and changed_after.isoformat(),
            "changedBefore": changed_before and changed_before.isoformat(),
        }
        params = {"limit": "100"} | {name: value for name, value in wanted.items() if value}
        while True:
            page = await self.ask("GET", "/v1/speakers", params=params)
            for document in page["speakers"]:
                yield _speaker(document)
            if not page.get("next"):
                return
            params["cursor"] = str(page["next"])

    async def erase(self, speaker_id: str) -> Speaker:
        """Forget a speaker for good: audio, enrollment and record; whoever is erased is never enrolled again."""
        return _speaker(await self.ask("DELETE", f"/v1/speakers/{quote(speaker_id, safe='')}"))

    async def retry(self, speaker_id: str) -> Speaker:
        """Try once more what failed for a reason that may have passed; `nothing_to_retry` where nothing did."""
        return _speaker(await self.ask("POST", f"/v1/speakers/{quote(speaker_id, safe='')}/retry"))

    async def decide(self, speaker_id: str, recording_id: str, *, accept: bool) -> Speaker:
        """Have a held sample handed in, or never."""
        path = f"/v1/speakers/{quote(speaker_id, safe='')}/recordings/{quote(recording_id, safe='')}"
        return _speaker(await self.ask("POST", f"{path}/{'accept' if accept else 'reject'}"))

    async def callbacks(self, **filters: str) -> AsyncGenerator[Callback, None]:
        """Callbacks that came, newest first, page by page: of one `speaker`, with one `verdict`, the `refused` ones."""
        before: dict[str, str] = {}
        while True:
            page = await self.ask("GET", "/v1/callbacks", params=filters | before)
            for document in page["callbacks"]:
                yield _read(Callback, document)
            if not page.get("next"):
                return
            before = {"before": str(page["next"])}

    async def callback(self, callback_id: str) -> Callback:
        """One callback with headers and body; `CommandError` with code `callback_unknown` where there is none."""
        return _read(Callback, await self.ask("GET", f"/v1/callbacks/{quote(callback_id, safe='')}"))

    async def replay(self, callback_id: str) -> Callback:
        """Have one callback reconciled once more."""
        return _read(Callback, await self.ask("POST", f"/v1/callbacks/{quote(callback_id, safe='')}/replay"))

    async def events(
        self, *types: str, speaker: str = "", after: str = "", since: datetime | None = None, full: bool = False
    ) -> AsyncGenerator[Event, None]:
        """Events as they come, without end; behind the event `after` or from a time on, nothing is missed.

        `types` are names of the catalogue, with stars (`enrollment.*`). A connection that is lost is made again, and
        goes on behind the last event. `full` has the speaker's document in each.

        Raises:
            CommandError: `events_forgotten` where what came behind `after` is no longer kept.
        """
        query = {"types": ",".join(types), "speaker": speaker, "full": "true" if full else ""}
        query |= {"since": since.isoformat() if since else ""}
        async with aclosing(
            follow(self, {name: value for name, value in query.items() if value}, after=after)
        ) as found:
            async for document in found:
                yield _read(Event, document)

    async def past_events(self, **filters: str) -> AsyncGenerator[Event, None]:
        """Events that were, page by page: newest first, or from `since` or `after` on oldest first."""
        forward = bool({"since", "after"} & filters.keys())
        while True:
            page = await self.ask("GET", "/v1/events", params=filters)
            for document in page["events"]:
                yield _read(Event, document)
            if not page.get("next"):
                return
            filters = {name: value for name, value in filters.items() if name != "since"}
            filters["after" if forward else "before"] = str(page["next"])

    async def event(self, event_id: str) -> Event:
        """One event; `CommandError` with code `event_unknown` where there is none."""
        return _read(Event, await self.ask("GET", f"/v1/events/{quote(event_id, safe='')}"))

    async def trigger(self, kind: str, *, speaker: str = "", data: dict[str, Any] | None = None) -> Event:
        """Have an event told in which nothing happened, marked as a test."""
        body = {"type": kind, "speakerId": speaker or None, "data": data}
        return _read(Event, await self.ask("POST", "/v1/events", json=body))

    async def endpoints(self) -> list[Endpoint]:
        """Where events are posted to."""
        return [_read(Endpoint, one) for one in (await self.ask("GET", "/v1/endpoints"))["endpoints"]]

    async def add_endpoint(self, url: str, *types: str, full: bool = False, description: str = "") -> Endpoint:
        """Have events posted to a URL; the answer alone holds the secret that they are signed with."""
        body = {"url": url, "types": list(types), "full": full, "description": description}
        return _read(Endpoint, await self.ask("POST", "/v1/endpoints", json=body))

    async def remove_endpoint(self, endpoint_id: str) -> None:
        """Post nothing more there, and forget what waits."""
        await self.ask("DELETE", f"/v1/endpoints/{quote(endpoint_id, safe='')}")

    async def change_endpoint(self, endpoint_id: str, what: str, **body: Any) -> dict[str, Any]:
        """`rotate` (`overlapS`), `enable`, `disable` or `replay` (`since`, `until`, `types`)."""
        return await self.ask("POST", f"/v1/endpoints/{quote(endpoint_id, safe='')}/{what}", json=body)

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

    async def settled(self, speaker_id: str) -> Speaker:
        """Wait until nothing more is under way for this speaker."""
        async for found in self.watch(speaker_id):
            if found.settled:
                return found
        raise AssertionError("watch ends with a settled speaker")

    async def ready(self) -> tuple[bool, dict[str, Any]]:
        """Whether the front door can work, and the checks it reports."""
        return await self.request("GET", "/readyz")


def _speaker(document: dict[str, Any]) -> Speaker:
    return _read(Speaker, document)


def _read(kind: type[D], document: dict[str, Any]) -> D:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, part["loc"])) for part in error.errors(include_input=False))
        name = kind.__name__.lower()
        raise CommandError("bad_answer", f"the front door's {name} document lacks or spoils: {fields}") from error


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
