"""Speakers as a program lists them: page by page, or some hundreds in one request."""

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from voxroll.documents import Speaker, Standing
from voxroll.door import Door
from voxroll.told import read

_LOOKED_UP = 500  # speakers in one request


class Listing(Door):
    """The part of a client that tells of many speakers."""

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
