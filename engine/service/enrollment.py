"""One enrollment as the engine keeps it, and what is asked of it. Pure; the rules are in `applying`."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

import numpy as np
from pydantic import ConfigDict

from config.settings import Quality
from engine.voice.voiceprint import COMPLETE_FROM_S, SamplePrint

ID_NAMES = ("speakerId", "enrollmentId")  # of 2024 and of 2022


class Verb(StrEnum):
    """What a request does to an enrollment."""

    CREATE = "POST"
    ADD = "PATCH"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to apply one sample.

    Attributes:
        key: names this one application; repeating it changes nothing.
        sha256: hex digest of the audio; empty while it is still to be fetched.
        asked_ms: when the request came in.
        parameter: how the client spelled the id, for error bodies.
    """

    verb: Verb
    speaker_id: str
    key: str
    sha256: str
    asked_ms: int
    parameter: str


@dataclass(frozen=True, slots=True)
class Sample:
    """An applied sample without its vector."""

    key: str
    sha256: str
    at_ms: int
    speech_s: float
    audio_s: float
    snr_db: float
    clip_ratio: float
    consistency: float
    narrow_band: bool
    line: bool = False


@dataclass(frozen=True, slots=True)
class Model:
    """The embedding model of an engine; vectors of two models can't be compared.

    Attributes:
        name: as the settings have it.
        ids: what its vectors are known by (`Manifest.ids`), the newest first; none where it isn't loaded.
    """

    name: str
    ids: tuple[str, ...] = ()

    def made(self, one: "Enrollment") -> bool:
        """Whether it made the vectors of an enrollment; by the name alone where no more is known of either."""
        return one.model_id in self.ids if one.model_id and self.ids else one.model == self.name

    def __str__(self) -> str:
        return _shown(self.name, self.ids[0] if self.ids else "")


def _shown(name: str, model_id: str) -> str:
    return f"{name} ({model_id[:8]})" if model_id else name


@dataclass(frozen=True, slots=True)
class Enrollment:
    """What is held of one speaker. Deleted: a tombstone that keeps no voice, only the keys it was made with.

    Attributes:
        deleted_ms: the last deletion, kept when the speaker is enrolled anew.
        spent: keys of requests that were applied before that deletion, or whose sample was withdrawn.
        model_id: what the model's vectors are known by; empty in those of before, until a sample is added.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(ser_json_inf_nan="constants")

    speaker_id: str
    model: str
    created_ms: int
    samples: tuple[Sample, ...] = ()
    quality: Quality = "Poor"
    is_deleted: bool = False
    deleted_ms: int = 0
    spent: tuple[str, ...] = ()
    model_id: str = ""

    @property
    def made_with(self) -> str:
        """The model, for people."""
        return _shown(self.model, self.model_id)

    @property
    def speech_s(self) -> float:
        """Seconds of speech in all samples, to the millisecond, so that what is told and what is decided agree."""
        return round(sum(sample.speech_s for sample in self.samples), 3)

    @property
    def audio_s(self) -> float:
        """Seconds of audio in all samples, to the millisecond."""
        return round(sum(sample.audio_s for sample in self.samples), 3)

    @property
    def is_complete(self) -> bool:
        """Whether there is enough speech; 12.0 s are enough."""
        return self.speech_s >= COMPLETE_FROM_S

    def status(self, id_names: Sequence[str] = ID_NAMES) -> dict[str, Any]:
        """EnrollmentStatus of the contract, with the id under each of these names."""
        return {
            **dict.fromkeys(id_names, self.speaker_id),
            "enrollmentComplete": self.is_complete,
            "totalSpeechDuration": self.speech_s,
            "totalEnrollDuration": self.audio_s,
            "enrollmentQuality": self.quality,
        }


@dataclass(frozen=True, slots=True)
class Held:
    """An enrollment as it was read.

    Attributes:
        version: 0 where there is nothing.
        vectors: float32, (samples, 2, dimension): each sample's vector and its narrow-band vector (zeros: none); empty
            where they were not asked for.
    """

    enrollment: Enrollment | None = None
    version: int = 0
    vectors: bytes = b""

    @property
    def alive(self) -> Enrollment | None:
        """The enrollment, unless it was deleted."""
        return None if self.enrollment is None or self.enrollment.is_deleted else self.enrollment

    def prints(self) -> tuple[SamplePrint, ...]:
        """The samples as the voice library knows them."""
        if self.alive is None or not self.alive.samples:
            return ()
        vectors = np.frombuffer(self.vectors, np.float32).reshape(len(self.alive.samples), 2, -1)
        return tuple(
            SamplePrint(
                vector=vector,
                narrow_vector=narrow_vector if narrow_vector.any() else None,
                speech_s=sample.speech_s,
                audio_s=sample.audio_s,
                snr_db=sample.snr_db,
                clip_ratio=sample.clip_ratio,
                consistency=sample.consistency,
                narrow_band=sample.narrow_band,
                line=sample.line,
            )
            for sample, (vector, narrow_vector) in zip(self.alive.samples, vectors, strict=True)
        )
