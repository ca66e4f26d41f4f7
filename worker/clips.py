"""The audio of a sample: as it is kept, or cut once more from its recording by its recipe, to the very bytes."""

import hashlib
from pathlib import Path

from engine.voice.failure import VoiceFailure
from worker.enrollment.errors import RejectError, RetryLaterError
from worker.enrollment.record import Clip
from worker.workshop import Workshop


async def clip_of(shop: Workshop, clip: Clip) -> bytes | None:
    """A sample's audio; None if it is no longer kept, and its recording is gone or another one by now.

    Raises:
        RetryLaterError: our own store fails.
    """
    kept = await shop.objects.get(clip.object_key)
    if kept is not None:
        return kept
    cut = await _cut(shop, clip)
    if cut is None or hashlib.sha256(cut).hexdigest() != clip.recipe.sample_sha256:
        return None
    await shop.objects.put(clip.object_key, cut)
    return cut


async def _cut(shop: Workshop, clip: Clip) -> bytes | None:
    try:
        async with shop.fetcher.at_hand(clip.recipe.source) as path:
            return await shop.measuring.run(_cut_from, shop, path, clip, is_urgent=False)
    except (RejectError, VoiceFailure):
        return None
    except RetryLaterError as error:
        if error.code.startswith("source_"):
            return None
        raise


def _cut_from(shop: Workshop, path: Path, clip: Clip) -> bytes:
    recipe = clip.recipe
    return shop.decoders.cut(path, start_s=recipe.start_s, end_s=recipe.end_s, channel=recipe.channel)
