"""What becomes of the rows of a batch: taken in, or refused with a code while the others go on."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from worker.contract.rows import BadRow, Row
from worker.enrollment.errors import RequestError
from worker.enrollment.record import Record, SpeakerId
from worker.enrollment.states import is_settled
from worker.intake import Intake, Order, SpeakerErasedError
from worker.sources import Allowed, HandedIn, recording_from
from worker.store.batches import Fate, OnExisting, Plan
from worker.store.manifests import Problem, source_of
from worker.store.status import StatusStore

_AT_ONCE = 50  # speakers at one time: others want to be answered too


class Refusal(NamedTuple):
    """Why a row is not taken."""

    fate: Fate
    code: str
    message: str


class Wanted(NamedTuple):
    """A row with its recording, or why it has none."""

    row: Row | BadRow
    recording: HandedIn | None = None
    refusal: Refusal | None = None


def wanted(row: Row | BadRow, plan: Plan) -> Wanted:
    """Look at a row, and at its recording where that is a file."""
    if isinstance(row, BadRow):
        return Wanted(row, refusal=Refusal(Fate.BAD, "bad_row", str(row)))
    if refusal := _unwanted(row):
        return Wanted(row, refusal=refusal)
    if row.speaker_id is None:
        return Wanted(row, refusal=Refusal(Fate.BAD, "bad_row", f"line {row.line}, speakerId: is missing; give an id"))
    try:
        found = recording_from(source_of(row, plan), allowed=Allowed(plan.folders(), plan.buckets))
        named = replace(found, language=row.language, ref=row.ref or "")
        return Wanted(row, replace(named, channel=row.channel, stretch=row.stretch))
    except RequestError as error:
        code = "bad_row" if error.code == "unreadable_source" else error.code  # it is neither path nor URL
        return Wanted(row, refusal=Refusal(Fate.BAD, code, error.message))
    except (OSError, ValueError) as error:  # a path that no system takes, a URL that is none
        message = f"{row.source[:80]!a} can't be looked at ({type(error).__name__}); write the name anew"
        return Wanted(row, refusal=Refusal(Fate.BAD, "bad_row", message))


def _unwanted(row: Row) -> Refusal | None:
    """What a row itself says against it."""
    if row.consent is False:
        return Refusal(Fate.BLOCKED, "no_consent", "the speaker has not agreed")
    if row.rejected:
        return Refusal(Fate.SKIPPED, "rejected", "a person has listened and rejected it")
    return None


class Taking:
    """Takes rows in.

    Args:
        store: tells who was enrolled before.
        intake: takes in.
        now: the clock.
    """

    def __init__(self, store: StatusStore, intake: Intake, *, now: Callable[[], datetime]) -> None:
        self._store = store
        self._intake = intake
        self._now = now

    async def take_in(self, plan: Plan, rows: Sequence[Wanted], *, behind: int) -> list[Problem]:
        """Take rows in, those of one speaker in order; returns what is wrong with the others.

        Args:
            plan: of their batch.
            rows: of its manifest.
            behind: so many rows, for the numbers of the problems.
        """
        refusals = {number: one.refusal for number, one in enumerate(rows) if one.refusal}
        of_speaker: dict[SpeakerId, dict[int, HandedIn]] = defaultdict(dict)
        for number, one in enumerate(rows):
            if isinstance(one.row, Row) and one.row.speaker_id and one.recording:
                of_speaker[SpeakerId(one.row.speaker_id)][number] = one.recording
        known = await self._store.many(list(of_speaker))
        places = asyncio.Semaphore(_AT_ONCE)

        async def one_speaker(speaker_id: SpeakerId) -> None:
            async with places:
                refusals.update(await self._speaker(plan, known.get(speaker_id), speaker_id, of_speaker[speaker_id]))

        ended = await asyncio.gather(*map(one_speaker, of_speaker), return_exceptions=True)
        if failed := next((one for one in ended if one), None):
            raise failed
        return [_problem(rows[number].row, behind + number, refusals[number]) for number in sorted(refusals)]

    async def _speaker(
        self, plan: Plan, known: Record | None, speaker_id: SpeakerId, recordings: dict[int, HandedIn]
    ) -> dict[int, Refusal]:
        """Take the recordings of one speaker in, together if that will do, else one by one; returns the refusals."""
        if refusal := _existing(known, plan):
            return dict.fromkeys(recordings, refusal)
        order = Order(
            speaker_id=speaker_id,
            recordings=list(recordings.values()),
            goal=plan.goal,
            batch=plan.batch_id,
            replaces=plan.on_existing is OnExisting.REPLACE,
        )
        try:
            await self._intake.take_in(order, now=self._now())
        except SpeakerErasedError as error:
            return dict.fromkeys(recordings, Refusal(Fate.BLOCKED, error.code, error.message))
        except RequestError as error:
            if len(recordings) == 1:
                return dict.fromkeys(recordings, Refusal(Fate.BAD, error.code, error.message))
            each = [await self._speaker(plan, known, speaker_id, {number: one}) for number, one in recordings.items()]
            return {number: refusal for refusals in each for number, refusal in refusals.items()}
        return {}


def _existing(known: Record | None, plan: Plan) -> Refusal | None:
    """Why the rows of a speaker who was enrolled before the batch are left alone, if that was asked for."""
    if plan.on_existing in {OnExisting.AUGMENT, OnExisting.REPLACE} or known is None or known.erased_at:
        return None
    is_ours = any(one.batch == plan.batch_id for one in known.batches)
    if is_ours or (known.enrollment is None and is_settled(known)):
        return None
    fate = Fate.SKIPPED if plan.on_existing is OnExisting.SKIP else Fate.BAD
    return Refusal(fate, "speaker_exists", f"{known.speaker_id} was enrolled before this batch, or is being enrolled")


def _problem(row: Row | BadRow, number: int, refusal: Refusal) -> Problem:
    if isinstance(row, BadRow):
        return Problem(number, refusal.fate, row.line, row.speaker_id, row.ref, refusal.code, refusal.message)
    told = Problem(number, refusal.fate, row.line, row.speaker_id, row.ref, refusal.code, refusal.message)
    return told.without_name() if refusal.code == "speaker_erased" else told
