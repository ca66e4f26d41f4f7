"""Batches as a program hands them in and follows them: a manifest is streamed to the front door, never read whole."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from voxroll.documents import Batch
from voxroll.door import Door, once
from voxroll.failure import CommandError
from voxroll.told import read

_POLL_S = (0.2, 2.0)  # first and longest pause between two looks at a batch


class Batching(Door):
    """The part of a client that deals with batches."""

    async def run(self, manifest: Path, *, folder: Path | str, **options: str) -> Batch:
        """Hand a manifest in; the same content with the same options is the same batch.

        Args:
            manifest: CSV, JSON lines or a JSON document.
            folder: that paths in it count from; it may be one of a bucket.
            options: `name`, `onExisting`, `quality`, `samples`, `until`, `budget`.

        Raises:
            CommandError: it can't be read, or the front door refused it.
        """
        fields = {"folder": str(folder)} | {name: text for name, text in options.items() if text}
        headers = once()
        return read(Batch, await self.patiently(lambda: self._hand_in(manifest, fields, headers)))

    async def _hand_in(self, manifest: Path, fields: dict[str, str], headers: dict[str, str]) -> dict[str, Any]:
        form = aiohttp.FormData(fields)
        try:
            content = await asyncio.to_thread(manifest.open, "rb")
        except OSError as error:
            raise CommandError("file_unreadable", f"{manifest} can't be read: {error.strerror}") from error
        with content:
            form.add_field("manifest", content, filename=manifest.name, content_type="application/octet-stream")
            return await self.ask_once("POST", "/v1/batches", data=form, headers=headers)

    async def batch(self, batch_id: str) -> Batch:
        """How a batch gets on; `CommandError` with code `batch_unknown` where there is none."""
        return read(Batch, await self.ask("GET", _path(batch_id)))

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """All of them, the newest first, page by page."""
        params: dict[str, str] = {}
        while True:
            page = await self.ask("GET", "/v1/batches", params=params)
            for document in page["batches"]:
                yield read(Batch, document)
            if not page.get("next"):
                return
            params["cursor"] = str(page["next"])

    async def change_batch(self, batch_id: str, what: str, **body: Any) -> Batch:
        """`pause`, `resume` (`until`, `budget`) or `cancel`."""
        return read(Batch, await self.ask("POST", f"{_path(batch_id)}:{what}", json=body))

    async def rollback(self, batch_id: str) -> Batch:
        """Undo a batch: who was enrolled by it alone is taken out, the others are enrolled anew from what is left.

        Raises:
            CommandError: `batch_running` while it is not at its end: cancel it first.
        """
        return await self.change_batch(batch_id, "rollback")

    async def forget_batch(self, batch_id: str) -> None:
        """Forget a batch that has ended: manifest, problems, counters; `batch_working` where it has not."""
        await self.ask("DELETE", _path(batch_id))

    async def watch_batch(self, batch_id: str) -> AsyncIterator[Batch]:
        """The batch now and again, ever less often, until it rests or has ended."""
        pause_s, longest_s = _POLL_S
        while True:
            found = await self.batch(batch_id)
            yield found
            if not found.is_working:
                return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.2, longest_s)

    async def report(self, batch_id: str, name: str) -> AsyncGenerator[bytes, None]:
        """`report.csv`, `report.jsonl`, `rerun.jsonl` or `rollback.jsonl`, line by line."""
        try:
            async with self.stream(f"{_path(batch_id)}/{name}") as lines:
                async for line in lines:
                    yield line
        except ConnectionError as error:
            raise CommandError("front_door_lost", f"{self.url} broke off: {error}; ask again") from error


def _path(batch_id: str) -> str:
    return f"/v1/batches/{quote(batch_id, safe='')}"
