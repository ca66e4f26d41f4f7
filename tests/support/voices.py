"""The loaded voice models for tests, fetched and converted once per machine."""

from functools import cache

from config import settings
from engine.voice import model
from engine.voice.voice import Voice


@cache
def voice() -> Voice:
    """The default model from the user's cache; the first call on a machine fetches it."""
    return Voice.load(model.ensure(settings.load().cache_dir))
