"""What is known of people before their recordings are looked at: who has agreed, and how they stand at the front door.

Without a front door a plan is made all the same, and says that nobody was asked.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.voice.failure import VoiceFailure
from voxroll.client import Client
from voxroll.documents import Standing
from voxroll.failure import CommandError
from worker.contract.consent import Consents
from worker.contract.rows import BadRow, Row

ENROLLED = "enrolled"
BLOCKED = frozenset({"no_consent", "speaker_erased", "rejected"})


@dataclass(frozen=True, slots=True)
class Beforehand:
    """What is known.

    Attributes:
        consents: who has agreed; None where no file says it.
        standings: how those stand whom the front door knows.
        unasked: why it was not asked; empty if it was.
    """

    consents: Consents | None = None
    standings: dict[str, Standing] = field(default_factory=dict)
    unasked: str = ""

    def bars(self, row: Row | BadRow) -> VoiceFailure | None:
        """Why a row's recording is not to be looked at: a code of `BLOCKED`, or `ENROLLED`."""
        if isinstance(row, BadRow) or row.speaker_id is None:
            return None
        standing = self.standings.get(row.speaker_id)
        if standing and standing.state == "erased":
            why = f"{row.speaker_id} was erased or has opted out, and is never enrolled again"
            return VoiceFailure("speaker_erased", why)
        if self.consents is not None and row.speaker_id not in self.consents.given:
            return VoiceFailure("no_consent", f"{row.speaker_id} has not agreed, by the file of consents")
        if standing and standing.goal_met:
            return VoiceFailure(ENROLLED, f"{row.speaker_id} is enrolled as well as is wanted")
        return None


async def asked(speaker_ids: Iterable[str]) -> tuple[dict[str, Standing], str]:
    """How speakers stand at the front door; and why it could not be asked, empty if it was."""
    try:
        async with Client() as client:
            return {one.speaker_id: one async for one in client.standings(speaker_ids)}, ""
    except CommandError as error:
        return {}, f"{error.code}: {error.message}"
