"""An engine per test, and clips of real people."""

from collections.abc import AsyncIterator, Callable

import pytest

from config.settings import Settings
from tests.support.engine import Rc, Receiver, receiving, running_engine
from tests.support.speech import said, speakers, wav

Clip = Callable[..., bytes]


@pytest.fixture
async def rc(settings: Settings) -> AsyncIterator[Rc]:
    """A client of a running engine that can hear."""
    async with running_engine(settings) as client:
        yield client


@pytest.fixture
async def deaf(settings: Settings) -> AsyncIterator[Rc]:
    """A client of a running engine whose models are still being loaded."""
    async with running_engine(settings, hears=False) as client:
        yield client


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Where callbacks go."""
    async with receiving() as made:
        yield made


@pytest.fixture(scope="session")
def clip() -> Clip:
    """`clip(speaker, n, seconds=)`: the nth recording of a speaker, by number, as WAV."""

    def make(speaker: int = 0, number: int = 0, *, seconds: float = 8.0) -> bytes:
        who = sorted(speakers())[speaker % len(speakers())]
        return wav(said(who, seconds=seconds, skip=number))

    return make
