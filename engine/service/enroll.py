"""Apply one sample to one enrollment, once, however many others do the same at the same time.

Judge before computing, compute, commit if nobody was faster, else look again: a sample whose commit lost a race is
judged against what the winner left, and is neither lost nor applied twice.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine.service.applying import already_applied, not_enrolled, tombstone, with_sample
from engine.service.ears import Ears
from engine.service.enrollment import ID_NAMES, Ask, Enrollment
from engine.service.failure import ApiError, NotReadyError
from engine.service.samples import without_sample
from engine.service.vault import Vault

_ROUNDS = 200  # each lost round is another writer's progress; more writers on one speaker than this there are not


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Enroller:
    """Writes enrollments.

    Args:
        vault: where they are kept.
        ears: measures samples.
        id_names: how answers spell the id of a speaker.
        clock: milliseconds since 1970.
    """

    def __init__(
        self,
        vault: Vault,
        ears: Ears,
        *,
        id_names: Sequence[str] = ID_NAMES,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._vault = vault
        self._ears = ears
        self._id_names = id_names
        self._clock = clock

    def told(self, enrollment: Enrollment) -> dict[str, Any]:
        """EnrollmentStatus as this engine answers it."""
        return enrollment.status(self._id_names)

    async def judge(self, ask: Ask) -> Enrollment | None:
        """The enrollment if the request was applied before, None if its sample is worth listening to.

        Raises:
            ApiError: the sample can't be applied.
        """
        return already_applied(await self._vault.look(ask.speaker_id), ask, model=self._ears.model)

    async def apply(self, ask: Ask, audio: Path) -> Enrollment:
        """Apply a sample, which lies in a file, and return what the enrollment has become.

        Raises:
            ApiError: the sample can't be applied, or will not do.
        """
        found = None
        for _ in range(_ROUNDS):
            held = await self._vault.get(ask.speaker_id)
            done = already_applied(held, ask, model=self._ears.model)
            if done is not None:
                return done
            found = found or await self._ears.hear(audio, sha256=ask.sha256)
            after = await asyncio.to_thread(with_sample, held, ask, found, model=self._ears.model, now_ms=self._clock())
            if await self._vault.commit(after) and after.enrollment is not None:
                return after.enrollment
        raise NotReadyError(f"too many writers on {ask.speaker_id}")

    async def delete(self, speaker_id: str, *, parameter: str) -> None:
        """Erase an enrollment, its voiceprints with it.

        Raises:
            ApiError: 404 if it never was, 410 if it is gone already.
        """
        for _ in range(_ROUNDS):
            held = await self._vault.look(speaker_id)
            if held.enrollment is None:
                raise not_enrolled(speaker_id, parameter)
            if held.alive is None:
                raise ApiError(410, "already_deleted", f"{speaker_id} was deleted before", parameter=parameter)
            gone = tombstone(held.alive, version=held.version, now_ms=self._clock())
            if await self._vault.commit(gone, erases=True):
                return
        raise NotReadyError(f"too many writers on {speaker_id}")

    async def withdraw(self, speaker_id: str, sample: str, *, parameter: str) -> Enrollment | None:
        """Take one sample out for good; None if it was the last one, and the enrollment is deleted with it.

        Raises:
            ApiError: 404 where there is no such enrollment or sample.
        """
        for _ in range(_ROUNDS):
            held = await self._vault.get(speaker_id)
            if held.alive is None:
                raise not_enrolled(speaker_id, parameter)
            after = without_sample(held.alive, held, sample, now_ms=self._clock())
            if await self._vault.commit(after, erases=True):
                return after.alive
        raise NotReadyError(f"too many writers on {speaker_id}")
