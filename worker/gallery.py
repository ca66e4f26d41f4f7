"""The gallery: the known voices of an account, searched for one that a new speaker sounds like.

A copy in memory of what Redis holds sealed, brought up to date before each search by what changed. Searches are exact,
one matrix product in each band. 100,000 voices take 101 MB in Redis and 163 MB here (for a moment twice that, as it
grows); they are read in 3.0 s at first, and one search takes 10 ms on one core. By telephone a large gallery finds
little and proves nothing (see `calibration.search_threshold`), so what it finds is told and changes nothing, unless
wanted so.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
import structlog
from numpy.typing import NDArray

from engine.voice import calibration
from engine.voice.likeness import KnownVoice, Likeness, Print
from engine.voice.voice import Voice
from engine.voice.voiceprint import SAME_SPEAKER_NARROW, SAME_SPEAKER_WIDE, Vector, centred, unit
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.record import SpeakerId
from worker.seal import DamagedVoiceError, VoiceSeal
from worker.store.voices import VoiceStore

_MODEL_BYTES = 4
_AHEAD = 3  # numbers before the vectors in a row
_SAMPLED = 500  # speakers whose pairs are the account's strangers: 124,750 scores, in 5 ms

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Entry:
    """One speaker's voice as it is searched for: centred, of unit length.

    Attributes:
        wide: (192,) of the full-band samples; zeros if there are none.
        narrow: (192,) of all through the telephone's band.
        genuine: how like the newest sample was to those before, (2,) wide and narrow; NaN where it was not compared.
    """

    wide: Vector
    narrow: Vector
    genuine: Vector

    @classmethod
    def of(cls, voice: Voice, known: KnownVoice, newest: Likeness | None) -> Self:
        """Of a known voice."""
        wide, narrow = (voice.centre(narrow_band=band) for band in (False, True))
        genuine = np.full(2, np.nan, np.float32)
        if newest:
            genuine[int(newest.narrow_band)] = newest.score
        return cls(
            wide=np.zeros_like(wide) if known.wide is None else unit(known.wide - wide),
            narrow=unit(known.narrow - narrow),
            genuine=genuine,
        )

    def to_bytes(self, model: str) -> bytes:
        """As float16, behind the beginning of the model's id: 776 bytes."""
        return _mark(model) + np.concatenate([self.genuine, self.wide, self.narrow]).astype("<f2").tobytes()

    @classmethod
    def from_bytes(cls, blob: bytes, models: Sequence[str]) -> Self | None:
        """The entry in the bytes; None where another model made it."""
        if not blob.startswith(tuple(map(_mark, models))):
            return None
        numbers = np.frombuffer(blob, "<f2", offset=_MODEL_BYTES).astype(np.float32)
        wide, narrow = np.split(numbers[2:], 2)
        return cls(wide=wide, narrow=narrow, genuine=numbers[:2])


class Probe(Protocol):
    """A voice that is looked for: raw vectors (192,) in both bands, the same where there is but the narrow one."""

    @property
    def vector(self) -> Vector:
        """As it is."""

    @property
    def narrow_vector(self) -> Vector:
        """Through the telephone's band."""

    @property
    def narrow_band(self) -> bool:
        """Nothing is above that band."""


@dataclass(frozen=True, slots=True)
class Match:
    """The speaker who is too alike, the score, and from which on it is."""

    speaker_id: SpeakerId
    score: float
    threshold: float


class Gallery:
    """The known voices of one account, as one process has them."""

    def __init__(self, store: VoiceStore, voice: Voice, *, seal: VoiceSeal) -> None:
        self._store = store
        self._seal = seal
        self._voice = voice
        self._shelf = _Shelf()
        self._seen = 0
        self._lock = asyncio.Lock()  # one reads changes or searches at a time

    async def put(self, speaker_id: SpeakerId, entry: Entry) -> None:
        """Set a speaker's voice, for all workers."""
        blob = entry.to_bytes(self._voice.manifest.ids[0])
        await self._store.put(speaker_id, self._seal.seal(blob, place=self._seal.of_speaker(speaker_id)))

    async def forget(self, speaker_id: SpeakerId) -> None:
        """Take a speaker's voice out, for all workers."""
        await self._store.forget(speaker_id)

    async def match(self, probe: Print, *, but: SpeakerId) -> Match | None:
        """The speaker, but for one, whose voice is farthest over the threshold; None if nobody's is."""
        async with self._lock:
            await self._catch_up()
            return await asyncio.to_thread(self._search, probe, but)

    async def nearest(self, probes: Sequence[Probe], *, most: int) -> list[SpeakerId]:
        """The speakers who are most like any of some voices, the likeliest first; whether they are they is not said."""
        async with self._lock:
            await self._catch_up()
            return await asyncio.to_thread(self._ranked, probes, most)

    async def speaker_threshold(self, *, narrow_band: bool) -> float:
        """From which score on a sample is taken for the speaker's: by the account's own scores once they are enough."""
        async with self._lock:
            await self._catch_up()
            genuine = self._shelf.genuine(narrow_band=narrow_band)
        fixed = _fixed(narrow_band=narrow_band)
        enough = len(genuine) >= calibration.LEAST_GENUINE
        return calibration.speaker_threshold(genuine, fixed=fixed) if enough else fixed

    async def _catch_up(self) -> None:
        while True:
            changes = await self._store.since(self._seen)
            if changes.last < self._seen:
                self._shelf, self._seen = _Shelf(), 0
                continue
            if not changes.voices:
                return
            ids = self._voice.manifest.ids
            for speaker_id, blob in changes.voices.items():
                opened = self._opened(speaker_id, blob) if blob else None
                self._shelf.set(speaker_id, Entry.from_bytes(opened, ids) if opened else None)
            self._seen = changes.until

    def _opened(self, speaker_id: SpeakerId, blob: bytes) -> bytes | None:
        """None where it can't be opened: others are still found."""
        try:
            return self._seal.open(blob, place=self._seal.of_speaker(speaker_id))
        except (RetryLaterError, DamagedVoiceError) as error:
            _log.warning("voice.not_opened", speaker_id=speaker_id, error=getattr(error, "code", "damaged"))
            return None

    def _search(self, probe: Print, but: SpeakerId) -> Match | None:
        found = [self._nearest(probe, but, narrow_band=band) for band in (False, True)]
        over = [match for match in found if match and match.score >= match.threshold]
        return max(over, key=lambda match: match.score - match.threshold, default=None)

    def _nearest(self, probe: Print, but: SpeakerId, *, narrow_band: bool) -> Match | None:
        """The nearest in one band, among those for whom it is the widest that they and the sample have."""
        scores = self._scores(probe, narrow_band=narrow_band)
        if np.isneginf(scores).all():
            return None
        if (own := self._shelf.place_of(but)) is not None:
            scores[own] = -1
        best = int(np.argmax(scores))
        return Match(self._shelf.speaker(best), float(scores[best]), self._threshold(narrow_band=narrow_band))

    def _scores(self, probe: Probe, *, narrow_band: bool) -> Vector:
        """A voice's cosine to each on the shelf in one band; minus infinity where another band is wider for the two."""
        vector = probe.narrow_vector if narrow_band else probe.vector
        fitting = (self._shelf.is_wide & (not probe.narrow_band)) != narrow_band
        if not fitting.any():
            return np.full(self._shelf.count, -np.inf, np.float32)
        centre = self._voice.centre(narrow_band=narrow_band)
        scores: Vector = self._shelf.vectors(narrow_band=narrow_band) @ centred(vector, centre)
        scores[~fitting] = -np.inf
        return scores

    def _ranked(self, probes: Sequence[Probe], most: int) -> list[SpeakerId]:
        """By how far over its band's threshold each speaker's best score is: cosines of two bands don't compare."""
        over = np.full(self._shelf.count, -np.inf, np.float32)
        for probe in probes:
            for band in (False, True):
                over = np.maximum(over, self._scores(probe, narrow_band=band) - _fixed(narrow_band=band))
        order = np.argsort(-over, kind="stable")[:most]
        return [self._shelf.speaker(int(place)) for place in order if np.isfinite(over[place])]

    def _threshold(self, *, narrow_band: bool) -> float:
        fixed = _fixed(narrow_band=narrow_band)
        strangers = self._shelf.strangers(narrow_band=narrow_band)
        if strangers is None:
            return fixed
        return calibration.search_threshold(strangers, voices=self._shelf.count, fixed=fixed)


class _Shelf:
    """Entries as arrays, one row each, without gaps."""

    def __init__(self) -> None:
        self._speakers: list[SpeakerId] = []
        self._places: dict[SpeakerId, int] = {}
        self._rows = np.zeros((0, _AHEAD), np.float32)  # genuine (2), is wide (1), wide, narrow

    @property
    def count(self) -> int:
        """How many voices there are."""
        return len(self._speakers)

    @property
    def is_wide(self) -> NDArray[np.bool_]:
        """Which of them have full-band audio."""
        return self._rows[: self.count, _AHEAD - 1] > 0

    def set(self, speaker_id: SpeakerId, entry: Entry | None) -> None:
        """Set a voice, or take it out: the last one takes its place."""
        if entry is None:
            self._take_out(speaker_id)
            return
        place = self._places.setdefault(speaker_id, self.count)
        if place == self.count:
            self._speakers.append(speaker_id)
        row = np.concatenate([entry.genuine, [entry.wide.any()], entry.wide, entry.narrow])
        if place >= len(self._rows):
            more = np.zeros((max(64, len(self._rows) // 4), len(row)), np.float32)
            self._rows = np.concatenate([self._rows, more]) if len(self._rows) else more
        self._rows[place] = row

    def _take_out(self, speaker_id: SpeakerId) -> None:
        place = self._places.pop(speaker_id, None)
        if place is None:
            return
        last = self._speakers.pop()
        if last != speaker_id:
            self._rows[place] = self._rows[self.count]
            self._speakers[place], self._places[last] = last, place

    def vectors(self, *, narrow_band: bool) -> Vector:
        """All voices in one band, (count, 192)."""
        size = (self._rows.shape[1] - _AHEAD) // 2
        start = _AHEAD + size * narrow_band
        return self._rows[: self.count, start : start + size]

    def genuine(self, *, narrow_band: bool) -> Vector:
        """How like its speaker's other samples the newest one of each was, where there were others."""
        scores = self._rows[: self.count, int(narrow_band)]
        return scores[~np.isnan(scores)]

    def strangers(self, *, narrow_band: bool) -> Vector | None:
        """Scores of pairs of speakers, of some by lot where there are many; None where there are too few."""
        places = np.flatnonzero(self.is_wide | narrow_band)
        if len(places) < calibration.LEAST_SPEAKERS:
            return None
        if len(places) > _SAMPLED:
            places = np.random.default_rng(0).choice(places, _SAMPLED, replace=False)
        vectors = self.vectors(narrow_band=narrow_band)[places]
        scores: Vector = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
        return scores

    def speaker(self, place: int) -> SpeakerId:
        """Whose voice it is."""
        return self._speakers[place]

    def place_of(self, speaker_id: SpeakerId) -> int | None:
        """Where a speaker's voice is, if it is here."""
        return self._places.get(speaker_id)


def _mark(model: str) -> bytes:
    return bytes.fromhex(model)[:_MODEL_BYTES]


def _fixed(*, narrow_band: bool) -> float:
    return SAME_SPEAKER_NARROW if narrow_band else SAME_SPEAKER_WIDE
