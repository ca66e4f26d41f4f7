"""Speakers as a program lists them: page by page, or some hundreds in one request."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from voxroll.documents import Speaker, Standing
from voxroll.door import Door
from voxroll.failure import CommandError
from voxroll.told import read

_LOOKED_UP = 500  # speakers in one request
_POLL_S = (0.15, 2.0)  # first and longest pause between two looks at a shortlist


class Listing(Door):
    """The part of a client that tells of many speakers."""

    async def speakers(  # noqa: PLR0913 -- one for each condition
        self,
        *,
        state: str | None = None,
        quality: str | None = None,
        batch: str | None = None,
        changed_after: datetime | None = None,
        changed_before: datetime | None = None,
        oldest_first: bool = False,
    ) -> AsyncIterator[Speaker]:
        """All speakers that fit each condition given, newest change first, page by page.

        Args:
            state: where they stand.
            quality: of their enrollment.
            batch: that handed them in.
            changed_after: their last change is later.
            changed_before: it is earlier.
            oldest_first: who changes meanwhile comes again instead of being missed.
        """
        wanted = {
            "state": state,
            "quality": quality,
            "batch": batch,
            "changedAfter": changed_after and changed_after.isoformat(),
            "changedBefore": changed_before and changed_before.isoformat(),
            "order": "oldest" if oldest_first else None,
        }
        params = {"limit": "100"} | {name: value for name, value in wanted.items() if value}
        while True:
            page = await self.ask("GET", "/v1/speakers", params=params)
            for document in page["speakers"]:
                yield speaker_of(document)
            if not page.get("next"):
                return
            params["cursor"] = str(page["next"])

    async def roster(self, *, min_quality: str = "Poor", batch: str | None = None) -> list[str]:
        """Ids of all who are enrolled: identify takes each of them now; of those of a `batch`, where one is named."""
        params = {"limit": "500", "minQuality": min_quality} | ({"batch": batch} if batch else {})
        ids = list[str]()
        while True:
            page = await self.ask("GET", "/v1/roster", params=params)
            ids += page["speakerIds"]
            if not page.get("next"):
                return list(dict.fromkeys(ids))
            params["cursor"] = str(page["next"])

    async def shortlist(  # noqa: PLR0913 -- one for each condition
        self,
        recording: str,
        *,
        channel: int | None = None,
        limit: int = 50,
        min_quality: str = "Poor",
        batch: str | None = None,
        timeout_s: float | None = None,
    ) -> list[str]:
        """Ids of those who may be the people in a recording, the likeliest first: the ones to ask identify about.

        Args:
            recording: absolute path or URL, as the front door reaches it.
            channel: from 0; every one without it.
            limit: at most so many ids.
            min_quality: of their enrollments.
            batch: that handed them in.
            timeout_s: longest wait.

        Raises:
            CommandError: the recording will not do.
            TimeoutError: it took longer.
        """
        asked = {"limit": str(limit), "minQuality": min_quality} | ({"batch": batch} if batch else {})
        made = await self.ask("POST", "/v1/shortlists", json={"recording": recording, "channel": channel})
        pause_s, longest_s = _POLL_S
        async with asyncio.timeout(timeout_s):
            while True:
                found = await self.ask("GET", f"/v1/shortlists/{made['shortlistId']}", params=asked)
                if found["state"] == "failed":
                    raise CommandError(found["code"], found["message"])
                if found["state"] == "done":
                    return list(found["speakerIds"])
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 1.5, longest_s)

    async def standings(self, speaker_ids: Iterable[str]) -> AsyncIterator[Standing]:
        """How those of the speakers stand that are known, some hundreds in one request."""
        for asked in batched(speaker_ids, _LOOKED_UP):
            body = {"speakerIds": asked}  # without an Idempotency-Key: nothing changes, and answers needn't be kept
            found = await self.patiently(lambda: self.ask_once("POST", "/v1/lookup", json=body))  # noqa: B023
            for document in found["speakers"]:
                yield read(Standing, document)


def batched(items: Iterable[str], size: int) -> Iterator[list[str]]:
    """Items, so many at a time."""
    rest = iter(items)
    while some := list(islice(rest, size)):
        yield some


def speaker_of(document: dict[str, Any]) -> Speaker:
    """The speaker that a document tells of."""
    return read(Speaker, document)
