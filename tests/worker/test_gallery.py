"""The gallery: what one worker puts in, another finds; what is taken out is gone; a search costs what changed."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from engine.voice.likeness import KnownVoice, Likeness, Print
from engine.voice.voice import Voice
from engine.voice.voiceprint import SAME_SPEAKER_NARROW, SAME_SPEAKER_WIDE, Vector, unit
from worker.enrollment.record import SpeakerId
from worker.gallery import Entry, Gallery
from worker.seal import VoiceSeal
from worker.store import keys
from worker.store.fields import read_fields
from worker.store.voices import VoiceStore

RNG = np.random.default_rng(4)
SIZE = 192
MODEL = "ab" * 32


class Centred:
    """Models whose vectors have no common part; no network is needed to compare."""

    def __init__(self, *ids: str) -> None:
        self.manifest = SimpleNamespace(ids=ids or (MODEL,))

    def centre(self, *, narrow_band: bool) -> Vector:
        assert narrow_band in {True, False}
        return np.zeros(SIZE, np.float32)


def gallery(settings: Settings, redis: ArqRedis, *ids: str) -> Gallery:
    """As each worker has its own."""
    store = VoiceStore(redis, account=settings.account)
    return Gallery(store, cast("Voice", Centred(*ids)), seal=VoiceSeal.of(settings))


def vector() -> Vector:
    return unit(np.asarray(RNG.standard_normal(SIZE), np.float32))


def entry(wide: Vector | None, narrow: Vector, *, genuine: Likeness | None = None) -> Entry:
    known = KnownVoice(wide=wide, narrow=narrow, speech_s=12.0, samples=1)
    return Entry.of(cast("Voice", Centred()), known, genuine)


def probe(wide: Vector, narrow: Vector, *, narrow_band: bool = False) -> Print:
    silence = np.zeros(0, np.uint32)
    return Print(wide, narrow, narrow_band, 12.0, silence, silence, MODEL)


def name(number: int) -> SpeakerId:
    return SpeakerId(f"s{number}")


NOBODY = SpeakerId("nobody")


async def test_a_voice_is_found_by_every_worker_until_it_is_taken_out(settings: Settings, redis: ArqRedis) -> None:
    mine, other = gallery(settings, redis), gallery(settings, redis)
    voices = [(vector(), vector()) for _ in range(100)]
    for number, (wide, narrow) in enumerate(voices):
        await mine.put(name(number), entry(wide, narrow))
    for worker in (mine, other):
        match = await worker.match(probe(*voices[37]), but=NOBODY)
        assert match is not None
        assert (match.speaker_id, round(match.score, 2)) == ("s37", 1.0)
        assert await worker.match(probe(*voices[37]), but=name(37)) is None
        assert await worker.match(probe(vector(), vector()), but=NOBODY) is None
    await mine.forget(name(37))
    await mine.put(name(5), entry(*voices[37]))
    match = await other.match(probe(*voices[37]), but=NOBODY)
    assert match is not None
    assert match.speaker_id == "s5"
    assert await other.match(probe(*voices[5]), but=NOBODY) is None
    for number in (99, 5, 0):
        await mine.forget(name(number))
    assert await other.match(probe(*voices[37]), but=NOBODY) is None
    found = await other.match(probe(*voices[98]), but=NOBODY)
    assert found is not None
    assert found.speaker_id == "s98"


async def test_what_did_not_change_is_not_read_again(settings: Settings, redis: ArqRedis) -> None:
    store = VoiceStore(redis, account=settings.account)
    for number in range(1500):
        await store.put(name(number), b"voice")
    first = await store.since(0)
    second = await store.since(first.until)
    assert (len(first.voices), len(second.voices)) == (1000, 500)
    await store.put(name(3), b"new")
    await store.forget(name(4))
    await store.forget(NOBODY)
    changed = await store.since(second.until)
    assert changed.voices == {name(3): b"new", name(4): None}
    assert (await store.since(changed.until)).voices == {}


async def test_a_store_that_went_back_is_read_anew(settings: Settings, redis: ArqRedis) -> None:
    worker, gone, kept = gallery(settings, redis), (vector(), vector()), (vector(), vector())
    await worker.put(name(1), entry(*kept))
    await worker.put(name(2), entry(*gone))
    assert await worker.match(probe(*gone), but=NOBODY)
    await redis.delete(keys.voices(settings.account), keys.voice_changes(settings.account))
    await worker.put(name(1), entry(*kept))
    assert await worker.match(probe(*gone), but=NOBODY) is None
    assert await worker.match(probe(*kept), but=NOBODY)


async def test_bands_are_compared_with_their_like(settings: Settings, redis: ArqRedis) -> None:
    worker, wide, narrow, by_phone = gallery(settings, redis), vector(), vector(), vector()
    await worker.put(name(1), entry(wide, narrow))
    await worker.put(name(2), entry(None, by_phone))
    found = await worker.match(probe(wide, vector()), but=NOBODY)
    assert found is not None
    assert (found.speaker_id, found.threshold) == ("s1", SAME_SPEAKER_WIDE)
    assert await worker.match(probe(vector(), narrow), but=NOBODY) is None  # both are wide: that counts
    phoned = await worker.match(probe(narrow, narrow, narrow_band=True), but=NOBODY)
    assert phoned is not None
    assert (phoned.speaker_id, phoned.threshold) == ("s1", SAME_SPEAKER_NARROW)
    known_by_phone = await worker.match(probe(vector(), by_phone), but=NOBODY)
    assert known_by_phone is not None
    assert known_by_phone.speaker_id == "s2"


async def test_voices_of_another_model_are_not_compared(settings: Settings, redis: ArqRedis) -> None:
    wide, narrow = vector(), vector()
    await gallery(settings, redis).put(name(1), entry(wide, narrow))
    assert await gallery(settings, redis, "cd" * 32).match(probe(wide, narrow), but=NOBODY) is None


async def test_a_model_may_have_had_other_names(settings: Settings, redis: ArqRedis) -> None:
    wide, narrow = vector(), vector()
    await gallery(settings, redis).put(name(1), entry(wide, narrow))
    renamed = gallery(settings, redis, "cd" * 32, MODEL)
    assert await renamed.match(probe(wide, narrow), but=NOBODY)
    await renamed.put(name(1), entry(wide, narrow))
    assert await gallery(settings, redis, "cd" * 32).match(probe(wide, narrow), but=NOBODY)


async def test_voices_lie_sealed_and_those_of_before_are_read(settings: Settings, redis: ArqRedis) -> None:
    mine, sealed, lying = gallery(settings, redis), (vector(), vector()), (vector(), vector())
    await mine.put(name(1), entry(*sealed))
    (kept,) = await read_fields(redis, keys.voices(settings.account), "s1")
    assert kept is not None
    assert len(kept) == 776 + 98
    assert sealed[0].astype("<f2").tobytes()[:16] not in kept
    store = VoiceStore(redis, account=settings.account)
    await store.put(name(2), entry(*lying).to_bytes(MODEL))
    await store.put(name(3), kept)  # another's: it opens nowhere else
    for number, voice in ((1, sealed), (2, lying)):
        match = await mine.match(probe(*voice), but=NOBODY)
        assert match is not None
        assert match.speaker_id == name(number)
    assert await mine.match(probe(*sealed), but=name(1)) is None


async def test_thresholds_are_the_accounts_own_once_there_are_enough(settings: Settings, redis: ArqRedis) -> None:
    worker, common = gallery(settings, redis), vector()
    alike = [unit(vector() + 1.2 * common) for _ in range(110)]  # strangers who score 0.6, as over one bad line
    for number, voice in enumerate(alike[:29]):
        await worker.put(name(number), entry(voice, voice, genuine=Likeness(0.9, narrow_band=False)))
    newcomer = unit(vector() + 1.2 * common)
    assert await worker.match(probe(newcomer, newcomer), but=NOBODY)
    assert await worker.speaker_threshold(narrow_band=False) == SAME_SPEAKER_WIDE
    for number, voice in enumerate(alike[29:], start=29):
        await worker.put(name(number), entry(voice, voice, genuine=Likeness(0.85, narrow_band=False)))
    assert await worker.match(probe(newcomer, newcomer), but=NOBODY) is None
    same = await worker.match(probe(alike[7], alike[7]), but=NOBODY)
    assert same is not None
    assert (same.speaker_id, same.threshold > 0.65) == ("s7", True)
    assert await worker.speaker_threshold(narrow_band=False) == pytest.approx(SAME_SPEAKER_WIDE + 0.1)
    assert await worker.speaker_threshold(narrow_band=True) == SAME_SPEAKER_NARROW


async def test_the_nearest_to_any_of_some_voices_come_first_whatever_the_band(
    settings: Settings, redis: ArqRedis
) -> None:
    mine = gallery(settings, redis)
    assert await mine.nearest([probe(vector(), vector())], most=5) == []
    wide, narrow = [vector() for _ in range(60)], [vector() for _ in range(60)]
    for number in range(60):
        await mine.put(name(number), entry(None if number == 7 else wide[number], narrow[number]))
    stranger = vector()
    likely = unit(0.7 * wide[3] + 0.3 * stranger)
    assert (await mine.nearest([probe(likely, vector())], most=3))[0] == "s3"
    by_telephone = probe(narrow[5], narrow[5], narrow_band=True)
    assert (await mine.nearest([probe(likely, vector()), by_telephone], most=3))[:2] == ["s5", "s3"]
    assert (await mine.nearest([probe(stranger, narrow[7])], most=1)) == ["s7"]
    everybody = await mine.nearest([by_telephone], most=1000)
    assert sorted(everybody) == sorted(name(number) for number in range(60))
    assert await mine.nearest([], most=5) == []
