"""Likeness: is it this speaker, is it another one, is it the very same audio?

A `Print` is what is kept of a sample to answer that later, without its audio. `KnownVoice` is the voice of several
samples together. Both are biometric data: they stay in the object store beside the clip, and are never logged or told.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.voice import band, fingerprint, speech
from engine.voice.fingerprint import SPARSE, Fingerprint
from engine.voice.recording import narrowed
from engine.voice.samples import RATE_HZ, Samples, floats
from engine.voice.speech import Span
from engine.voice.voice import Voice
from engine.voice.voiceprint import Vector, centred, score, unit

_SAME_AUDIO = 0.35  # of the bits differ at most: the paper's threshold, between the 0.32 and the 0.41 measured here
_SHARED = 0.5  # share of a sample that may be in another one's recording too: less leaves enough that is new
_KEPT_S = 1800  # of a recording: as much as is searched unless told otherwise

_FORMAT = 2


@dataclass(frozen=True, slots=True)
class Print:
    """What is kept of one sample, 10 KB for 24 s, and 42 bytes for each second of its recording.

    Attributes:
        vector: (192,) float32, raw mean of the speech.
        narrow_vector: (192,) the same speech through the telephone's band.
        narrow_band: the audio holds nothing above that band: both vectors are the same.
        speech_s: seconds of speech.
        audio: its fingerprint.
        recording: fingerprint of what it was cut from, up to half an hour around it, every `SPARSE`-th step.
        model: `Manifest.ids` of the network; vectors of two networks can't be compared.
    """

    vector: Vector
    narrow_vector: Vector
    narrow_band: bool
    speech_s: float
    audio: Fingerprint
    recording: Fingerprint
    model: str


@dataclass(frozen=True, slots=True)
class KnownVoice:
    """Several samples of a speaker as one voice: means of their raw unit vectors, weighted by seconds of speech.

    Attributes:
        wide: (192,) of the full-band samples; None if there are none.
        narrow: (192,) of all samples through the telephone's band.
        speech_s: seconds of speech in all.
        samples: how many.
    """

    wide: Vector | None
    narrow: Vector
    speech_s: float
    samples: int


@dataclass(frozen=True, slots=True)
class Likeness:
    """Cosine of two voices, and whether the telephone's band was compared."""

    score: float
    narrow_band: bool


@dataclass(frozen=True, slots=True)
class Shared:
    """Seconds of audio that a sample has in common with another's recording, 0 if it is not the same; the limit."""

    seconds: float
    limit_s: float

    @property
    def is_too_much(self) -> bool:
        """Whether it is out of the same conversation."""
        return self.seconds > self.limit_s


def make(voice: Voice, samples: NDArray[np.float32]) -> Print:
    """Make the print of a sample that is all there is, 16 kHz.

    Raises:
        ValueError: under 0.5 s of speech.
    """
    return _print(voice, samples, voice.speech(samples), recording=samples)


def cut_print(voice: Voice, recording: Samples, spans: tuple[Span, ...], *, start_s: float, end_s: float) -> Print:
    """Make the print of a stretch of a recording, 16 kHz, of which it is known where the speech is.

    Raises:
        ValueError: under 0.5 s of speech.
    """
    samples = floats(recording[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)])
    first = max(0, min(round((start_s + end_s - _KEPT_S) / 2 * RATE_HZ), len(recording) - _KEPT_S * RATE_HZ))
    around = recording[first : first + _KEPT_S * RATE_HZ]
    return _print(voice, samples, speech.within(spans, start_s, end_s), recording=around)


def _print(voice: Voice, samples: NDArray[np.float32], spans: tuple[Span, ...], *, recording: Samples) -> Print:
    spectrum = band.loud_spectrum(samples)
    narrow = band.is_narrow(spectrum)
    spoken = speech.spoken(samples, spans)
    vector, narrow_vector = both_bands(voice, spoken, narrow=narrow, line=band.is_line(spectrum))
    return Print(
        vector=vector,
        narrow_vector=narrow_vector,
        narrow_band=narrow,
        speech_s=speech.speech_s(spans),
        audio=fingerprint.fingerprint(samples),
        recording=fingerprint.fingerprint(recording, every=SPARSE),
        model=voice.manifest.ids[0],
    )


def both_bands(voice: Voice, spoken: NDArray[np.float32], *, narrow: bool, line: bool) -> tuple[Vector, Vector]:
    """Raw vectors of speech, (192,) each: as it is, and through the telephone's band; the same where it is `narrow`."""
    narrow_vector = voice.embed_narrow(spoken if narrow else narrowed(spoken), line=line)
    return narrow_vector if narrow else voice.embed(spoken), narrow_vector


def known(prints: Sequence[Print]) -> KnownVoice | None:
    """The voice of some samples; None of none."""
    if not prints:
        return None
    wide = [one for one in prints if not one.narrow_band]
    return KnownVoice(
        wide=_mean([one.vector for one in wide], wide) if wide else None,
        narrow=_mean([one.narrow_vector for one in prints], prints),
        speech_s=sum(one.speech_s for one in prints),
        samples=len(prints),
    )


def compare(voice: Voice, one: Print, other: KnownVoice) -> Likeness:
    """Compare a sample with a voice in the widest band that both have."""
    if one.narrow_band or other.wide is None:
        centre = voice.centre(narrow_band=True)
        return Likeness(score(centred(one.narrow_vector, centre), other.narrow - centre), narrow_band=True)
    centre = voice.centre(narrow_band=False)
    return Likeness(score(centred(one.vector, centre), other.wide - centre), narrow_band=False)


def shared(sample: Fingerprint, recording: Fingerprint) -> Shared:
    """How much of a sample's audio (`Print.audio`) is in a recording (`Print.recording`)."""
    seconds, differing = fingerprint.overlap(sample, recording)
    whole_s = fingerprint.seconds(recording, every=SPARSE)
    limit_s = _SHARED * min(fingerprint.seconds(sample), whole_s)
    return Shared(seconds if differing <= _SAME_AUDIO else 0.0, limit_s)


def to_bytes(one: Print) -> bytes:
    """A print as bytes."""
    facts = np.array([_FORMAT, one.narrow_band, one.speech_s], np.float64)
    model = np.frombuffer(one.model.encode(), np.uint8)
    buffer = io.BytesIO()
    wide, narrow, audio, recording = one.vector, one.narrow_vector, one.audio, one.recording
    np.savez(buffer, facts=facts, model=model, wide=wide, narrow=narrow, audio=audio, recording=recording)
    return buffer.getvalue()


def from_bytes(blob: bytes) -> Print | None:
    """The print in the bytes, or None where they hold none that this version can read."""
    try:
        with np.load(io.BytesIO(blob), allow_pickle=False) as kept:
            version, narrow_band, speech_s = kept["facts"].tolist()
            model = kept["model"].tobytes().decode()
            vectors, sounds = (kept["wide"], kept["narrow"]), (kept["audio"], kept["recording"])
            made = Print(*vectors, bool(narrow_band), speech_s, *sounds, model)
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        return None
    return made if version == _FORMAT else None


def _mean(vectors: Sequence[Vector], prints: Sequence[Print]) -> Vector:
    weights = np.array([one.speech_s for one in prints], np.float32)
    return np.asarray(weights @ np.stack([unit(vector) for vector in vectors]) / weights.sum(), np.float32)
