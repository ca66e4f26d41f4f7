"""Voices at rest: sealed for their place, opened by the right key alone, and gone with their speaker.

Real speech makes the print; Redis and the object store are real.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import cast

import numpy as np
import pytest
from arq.connections import ArqRedis
from pydantic import SecretStr

from config.settings import Settings, SettingsError
from engine.voice import likeness
from engine.voice.likeness import Print
from tests.support.lives import MEASURES, recipe
from tests.support.process import environment, started
from tests.support.speech import said
from tests.support.voices import voice
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.facts import RecordingPlanned, SampleReady, SpeakerErased
from worker.enrollment.record import RecordingId, Sample, SpeakerId
from worker.gallery import Gallery
from worker.reseal import Progress, Resealer, refuse_wrong_key
from worker.seal import DamagedVoiceError, VoiceSeal
from worker.store.objects import CLIPS, ObjectStore, folder_of
from worker.store.policy import policy_of
from worker.store.status import StatusStore
from worker.store.voices import VoiceStore
from worker.voices import Voices

OLD, NEW = "o" * 40, "n" * 40
ANNA, ONE = SpeakerId("anna"), RecordingId("one")
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@cache
def print_() -> Print:
    return likeness.make(voice(), said("1688", seconds=8))


def keyed(settings: Settings, current: str, *former: str) -> Settings:
    changed = {"voice_key": SecretStr(current), "former_voice_keys": tuple(map(SecretStr, former))}
    return settings.model_copy(update={"worker": settings.worker.model_copy(update=changed)})


@dataclass(frozen=True)
class Shelf:
    """What holds voices, under the keys of some settings."""

    settings: Settings
    redis: ArqRedis

    @property
    def objects(self) -> ObjectStore:
        return ObjectStore(self.settings)

    @property
    def store(self) -> VoiceStore:
        return VoiceStore(self.redis, account=self.settings.account)

    @property
    def records(self) -> StatusStore:
        account, policy = self.settings.account, policy_of(self.settings)
        return StatusStore(self.redis, account=account, policy=policy, events_kept=1000)

    @property
    def seal(self) -> VoiceSeal:
        return VoiceSeal.of(self.settings)

    @property
    def voices(self) -> Voices:
        gallery = Gallery(self.store, voice(), seal=self.seal)
        return Voices(self.objects, gallery, seal=self.seal, voice=voice())

    @property
    def clip(self) -> str:
        return f"{folder_of(CLIPS, self.settings.account, ANNA)}/one.wav"

    def under(self, current: str, *former: str) -> "Shelf":
        return replace(self, settings=keyed(self.settings, current, *former))

    @property
    def beside(self) -> str:
        return self.clip.replace(".wav", ".print")

    async def kept(self) -> bytes:
        """The print as it lies there."""
        return cast("bytes", await self.objects.get(self.beside))

    async def sample(self) -> Sample:
        """Anna's, with its clip."""
        planned = RecordingPlanned(at=NOW, recording_id=ONE, source="https://example.org", name="a.wav")
        ready = SampleReady(at=NOW, recording_id=ONE, recipe=recipe(), measures=MEASURES, object_key=self.clip)
        return (await self.records.apply(ANNA, planned, ready)).record.sample(ONE)

    async def resealed(self) -> Progress:
        account = self.settings.account
        walk = Resealer(voices=self.store, objects=self.objects, records=self.records, seal=self.seal, account=account)
        return await walk.run()


@pytest.fixture
def shelf(settings: Settings, redis: ArqRedis) -> Shelf:
    return Shelf(settings, redis).under(OLD)


async def test_a_print_lies_sealed_for_its_place(shelf: Shelf) -> None:
    sample, plain = await shelf.sample(), likeness.to_bytes(print_())
    await shelf.voices.keep(shelf.clip, plain)
    kept = await shelf.kept()
    assert len(kept) == len(plain) + 98
    assert print_().vector.tobytes()[:16] not in kept
    assert print_().audio.tobytes()[:16] not in kept
    found = await shelf.voices.print_of(sample)
    assert found is not None
    np.testing.assert_array_equal(found.vector, print_().vector)
    with pytest.raises(DamagedVoiceError):
        shelf.seal.open(kept, place=shelf.seal.of_object("elsewhere"))
    await shelf.objects.put(shelf.beside, kept[:-1])
    assert await shelf.voices.print_of(sample) is None


@pytest.mark.parametrize("model", voice().manifest.ids)
async def test_what_lay_open_and_under_an_earlier_id_is_read_and_then_sealed(shelf: Shelf, model: str) -> None:
    sample = await shelf.sample()
    await shelf.objects.put(shelf.beside, likeness.to_bytes(replace(print_(), model=model)))
    found = await shelf.voices.print_of(sample)
    assert found is not None
    assert await shelf.resealed() == Progress(resealed=1)
    assert not (await shelf.kept()).startswith(b"PK")
    again = await shelf.voices.print_of(sample)
    assert again is not None
    np.testing.assert_array_equal(again.vector, found.vector)


async def test_a_print_of_another_model_is_none(shelf: Shelf) -> None:
    sample = await shelf.sample()
    await shelf.voices.keep(shelf.clip, likeness.to_bytes(replace(print_(), model="cd" * 32)))
    assert await shelf.voices.print_of(sample) is None


async def test_a_new_key_takes_over_once_everything_is_sealed_under_it(shelf: Shelf) -> None:
    sample = await shelf.sample()
    await shelf.voices.keep(shelf.clip, likeness.to_bytes(print_()))
    await shelf.store.put(ANNA, shelf.seal.seal(b"voice", place=shelf.seal.of_speaker(ANNA)))
    with pytest.raises(RetryLaterError, match=r"voice_key_unknown: .*VOXROLL_WORKER_FORMER_VOICE_KEYS"):
        await shelf.under(NEW).voices.print_of(sample)
    with pytest.raises(SettingsError, match=r"VOXROLL_WORKER_VOICE_KEY: this key .* can't be the right one"):
        await refuse_wrong_key(shelf.store, shelf.under(NEW).seal)
    both = shelf.under(NEW, OLD)
    await refuse_wrong_key(both.store, both.seal)
    assert await shelf.under(NEW).resealed() == Progress(failed=2)
    assert await both.resealed() == Progress(resealed=2)
    assert await both.resealed() == Progress(current=2)
    alone = shelf.under(NEW)
    assert await alone.voices.print_of(sample) is not None
    ((_, blob),) = (await alone.store.ends()).items()
    assert alone.seal.open(blob, place=alone.seal.of_speaker(ANNA)) == b"voice"


async def test_who_is_erased_while_voices_are_sealed_anew_stays_so(shelf: Shelf) -> None:
    """The walk has read the print before the erasure, and writes it back after it."""
    await shelf.voices.keep(shelf.clip, likeness.to_bytes(print_()))
    await shelf.records.apply(ANNA, SpeakerErased(at=NOW))
    assert await shelf.under(NEW, OLD).resealed() == Progress(resealed=1)
    assert await shelf.objects.below(folder_of(CLIPS, shelf.settings.account, ANNA)) == []


async def test_the_workers_own_command_seals_what_lies_open(shelf: Shelf) -> None:
    await shelf.store.put(ANNA, b"voice")
    async with started("worker", environment(shelf.settings), "--reseal") as process:
        _, said_ = await process.communicate()
    assert (process.returncode, b'"resealed": 1' in said_) == (0, True), said_
    ((_, blob),) = (await shelf.store.ends()).items()
    assert shelf.seal.open(blob, place=shelf.seal.of_speaker(ANNA)) == b"voice"
    assert b"voice" not in blob


def test_without_a_key_no_worker_starts(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="VOXROLL_WORKER_VOICE_KEY is not set"):
        VoiceSeal.of(keyed(settings, ""))
