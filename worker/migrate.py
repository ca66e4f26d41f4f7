"""Migrate: enroll everybody of one account anew at another provider, as another account over the same store.

The other account's records are made of what this one keeps: recipes, measures and clips, which are copied so that
either account can be erased without the other; a clip that is gone is cut again. From there on the line does as always.
Whoever is cut short is followed by the same command: what was taken over is no news. The source is only read.
"""

import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from config.points import point
from config.process import EXIT_OK, UnavailableError
from worker.clips import clip_of
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.facts import Fact, GoalSet, RecordingPlanned, SampleReady, SampleReleased, SpeakerErased
from worker.enrollment.record import Clip, Record, RecordingId, Sample
from worker.enrollment.states import SampleState, SpeakerState, sample_state
from worker.parity import Parity, carried, free_id, standing
from worker.seal import VoiceSeal
from worker.store.listing import Wanted
from worker.store.objects import CLIPS, folder_of
from worker.store.status import StatusStore
from worker.workshop import Workshop

_PAGE = 100
_AT_ONCE = 8  # speakers whose clips are copied at one time
_WAIT_S = 0.25
_SOME_DAY = datetime.max.replace(tzinfo=UTC)  # everybody who is not settled is due until then


@dataclass(frozen=True, slots=True)
class Source:
    """The account that is moved: its records, and what its voices are sealed with."""

    store: StatusStore
    seal: VoiceSeal


async def run(
    shop: Workshop, source: Source, *, work: Callable[[asyncio.Event], Awaitable[None]], stop: asyncio.Event
) -> int:
    """Move everybody while a worker works, and print how far it is, then how each stands, as lines of JSON.

    Raises:
        UnavailableError: the other provider or our own store is not there.
    """
    over = asyncio.Event()
    worker = asyncio.ensure_future(work(over))
    worker.add_done_callback(lambda _: stop.set())
    try:
        async for line in Migration(shop, source, stop=stop).lines():
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
    except RetryLaterError as error:
        raise UnavailableError(f"{error.code}: {error.message}") from error
    finally:
        over.set()
        await worker
    return EXIT_OK


class Migration:
    """Moves everybody of an account.

    Args:
        shop: works for the other account.
        source: this one.
        stop: once it is set, everything is left as it is.
    """

    def __init__(self, shop: Workshop, source: Source, *, stop: asyncio.Event) -> None:
        self._shop = shop
        self._source = source
        self._stop = stop
        self._looked_at = 0

    async def lines(self) -> AsyncIterator[dict[str, Any]]:
        """`progress` now and then, a `speaker` each, and a `summary`; the last ones only if it came to its end."""
        await self._reach()
        total = sum((await self._source.store.counts()).values())
        async for page in self._pages():
            for few in (page[at : at + _AT_ONCE] for at in range(0, len(page), _AT_ONCE)):
                await self._room()
                if self._stop.is_set():
                    return
                await asyncio.gather(*map(self._move, few))
                self._looked_at += len(few)
                yield await self._progress(total)
        while await self._shop.store.due(now=_SOME_DAY, limit=1):  # erased ones too, until nothing of them is left
            if self._stop.is_set():
                return
            yield await self._progress(total)
            await self._pause()
        async for line in self._report():
            yield line

    async def _reach(self) -> None:
        """Ask the other provider for something, before anything is taken over.

        Raises:
            RetryLaterError: it is not there, or lets nobody in.
        """
        while True:
            try:
                await self._shop.api.enrollments(1, 1)
            except RetryLaterError as error:
                if error.code != "rate_limited":
                    raise
                await asyncio.sleep(error.after.total_seconds())
            else:
                return

    async def _pages(self) -> AsyncIterator[Sequence[Record]]:
        """Everybody, whose change is oldest first: who changes meanwhile comes once more."""
        cursor: str | None = ""
        while cursor is not None:
            page = await self._source.store.page(Wanted(), limit=_PAGE, cursor=cursor or None, newest_first=False)
            yield page.records
            cursor = page.next

    async def _room(self) -> None:
        """Return once not too many are under way."""
        while await self._under_way() >= self._shop.settings.worker.batch_speakers and not self._stop.is_set():
            await self._pause()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), _WAIT_S)

    async def _under_way(self) -> int:
        counts = await self._shop.store.counts()
        return counts[SpeakerState.PLANNED] + counts[SpeakerState.ENROLLING]

    async def _progress(self, total: int) -> dict[str, Any]:
        under_way = await self._under_way()
        done = max(0, self._looked_at - under_way)
        return {"type": "progress", "speakers": total, "takenOver": self._looked_at, "done": done}

    async def _move(self, record: Record) -> None:
        """Take a speaker over; what was taken over before is left as it is."""
        known = (await self._shop.store.get(record.speaker_id)).record
        if known.erased_at:
            return
        if record.erased_at:
            await self._shop.tell(record.speaker_id, SpeakerErased(at=record.erased_at))
            return
        now = self._shop.now()
        facts: list[Fact] = []
        for sample in carried(record):
            recording_id = free_id(known, sample.recording_id)
            if known.sample(recording_id).prepared is None:
                facts += await self._brought(record, sample, recording_id=recording_id, now=now)
        if facts and record.goal != known.goal:
            facts.insert(0, GoalSet(at=now, goal=record.goal))
        point("migrate.brought")
        await self._shop.tell(record.speaker_id, *facts)

    async def _brought(self, record: Record, sample: Sample, *, recording_id: RecordingId, now: datetime) -> list[Fact]:
        """What makes a sample known there; nothing if its audio is gone."""
        clip = sample.clip
        object_key = await self._copied(record, clip) if clip else None
        if clip is None or object_key is None:
            return []
        named: dict[str, Any] = {"at": now, "recording_id": recording_id}
        facts: list[Fact] = [
            RecordingPlanned(
                **named,
                source=sample.source,
                name=sample.name,
                channel=sample.channel,
                stretch=sample.stretch,
                language=sample.language,
            ),
            SampleReady(**named, recipe=clip.recipe, measures=clip.measures, object_key=object_key),
        ]
        if sample_state(sample) is SampleState.APPLIED:  # it was judged: nothing is held that counts already
            facts.append(SampleReleased(**named))
        return facts

    async def _copied(self, record: Record, clip: Clip) -> str | None:
        audio = await clip_of(self._shop, clip)
        if audio is None:
            return None
        folder = folder_of(CLIPS, self._shop.queue.account, record.speaker_id)
        object_key = f"{folder}/{clip.recipe.sample_sha256}.wav"
        await self._shop.objects.put(object_key, audio)
        await self._shop.voices.bring(clip.object_key, object_key, seal=self._source.seal)
        return object_key

    async def _report(self) -> AsyncIterator[dict[str, Any]]:
        """How each stands beside before, and the sums."""
        seen: set[str] = set()
        parity, sums, can_pass = Counter[Parity](), Counter[str](), 0
        async for page in self._pages():
            after = await self._shop.store.many([one.speaker_id for one in page])
            for record in page:
                if record.speaker_id in seen:
                    continue
                seen.add(record.speaker_id)
                found = standing(record, after.get(record.speaker_id, Record(speaker_id=record.speaker_id)))
                parity[found.parity] += 1
                can_pass += found.may_pass
                sums.update(samples=found.row["after"]["samples"], lost=found.lost, refused=found.refused)
                yield {"type": "speaker", **found.row}
        told = {str(one): parity[one] for one in Parity}
        samples = {"applied": sums["samples"], "lost": sums["lost"], "refused": sums["refused"]}
        yield {"type": "summary", "speakers": told, "samples": samples, "mayPass": can_pass}
