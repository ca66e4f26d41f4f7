"""Shortlist: which speakers may be the people in a recording, so that identify is asked about them alone.

Identify takes so many ids in one call, and accounts have thousands. Of each voice in the recording the gallery is
searched for those who are most like it. No call is made, and nothing of the recording is kept.
"""

from pathlib import Path

from engine.voice.company import Heard, company
from engine.voice.failure import VoiceFailure
from engine.voice.recording import Recording
from worker.enrollment.errors import RejectError, RetryLaterError
from worker.store.shortlists import Shortlist
from worker.workshop import Workshop

_MOST = 500  # kept: some are left out later, who may not be named
_TRIES = 3


async def shortlist(shop: Workshop, shortlist_id: str, source: str, channel: int | None, *, job_try: int) -> str:
    """Make one shortlist; returns the outcome in a word."""
    try:
        async with shop.fetcher.at_hand(source) as path:
            heard = await shop.measuring.run(_heard, shop, path, channel, is_urgent=True)
    except (RejectError, VoiceFailure) as error:
        found = Shortlist(code=error.code, message=error.message)
    except RetryLaterError as error:
        if job_try < _TRIES or not error.code.startswith("source_"):
            raise
        message = f"{error.message}, {job_try} times; ask again when it can be reached"
        found = Shortlist(code="unreadable_source", message=message)
    else:
        ids = await shop.voices.gallery.nearest(heard, most=_MOST)
        found = Shortlist(speaker_ids=tuple(ids), voices=len(heard))
    await shop.shortlists.put(shortlist_id, found)
    return found.code or "found"


def _heard(shop: Workshop, path: Path, channel: int | None) -> list[Heard]:
    limit_s = shop.settings.intake.scan_limit.total_seconds()

    def read(number: int | None) -> Recording:
        return shop.decoders.decode(path, channel=number, limit_s=limit_s)

    return company(shop.voice, read, channel=channel)
