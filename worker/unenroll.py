"""Unenroll: an erased speaker's enrollment is deleted at the API, audio and prints in the object store, and the voice.

It is safe to repeat, and is repeated where a sample that was under way is applied after the deletion.
"""

from worker.enrollment.facts import Unenrolled
from worker.enrollment.record import SpeakerId
from worker.enrollment.steps import Unenroll, next_steps
from worker.store.objects import CLIPS, UPLOADS, folder_of
from worker.workshop import Workshop


async def unenroll(shop: Workshop, speaker_id: SpeakerId) -> str:
    """Delete what is held of an erased speaker; returns the outcome in a word."""
    record = (await shop.store.get(speaker_id)).record
    began = shop.now()  # what is applied while the call is under way is later than this, and is deleted again
    if Unenroll() not in next_steps(record, now=began, policy=shop.policy):
        return "no_news"
    for kind in (CLIPS, UPLOADS):
        await shop.objects.forget(folder_of(kind, shop.queue.account, speaker_id))
    await shop.voices.forget(speaker_id)
    await shop.api.delete(speaker_id)
    await shop.tell(speaker_id, Unenrolled(at=began))
    return "unenrolled"
