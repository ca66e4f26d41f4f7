"""What is known of a model: the small file that lies beside it.

Every manifest says where the model came from and under which licence. That of a speaker-embedding model says also what
it takes, and which centre its vectors have. The centres belong to the model: another model's vectors have other ones.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from engine.voice.fbank import FEATURES, NORMALISATION
from engine.voice.samples import RATE_HZ
from engine.voice.voiceprint import Vector

FILE = "manifest.json"
SEGMENTATION = "segmentation"  # name of the segmentation net's folder, which lies beside the embedding models'
FORMAT = 2  # grows when the files of a model folder change their meaning; older folders are made anew


class ManifestError(Exception):
    """A folder that holds no usable model; the message names it and the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What is said of every model."""

    name: str
    file: str
    sha256: str
    licence: str
    source: str
    format: int = FORMAT

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of a folder.

        Raises:
            ManifestError: missing, of another format, or broken.
        """
        try:
            found = cls(**cls._values(json.loads((folder / FILE).read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ManifestError(f"{folder} holds no model: {error}; fetch it with `voxroll model fetch`") from error
        if found.format != FORMAT:
            raise ManifestError(f"{folder} holds a model of another version; fetch it with `voxroll model fetch`")
        return found

    def write(self, folder: Path) -> None:
        """Write the manifest into a folder."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def _values(given: dict[str, Any]) -> dict[str, Any]:
        """From what the file holds to what the class takes."""
        return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest(Provenance):
    """A speaker-embedding model.

    The front end is what `fbank` computes; a manifest that asks for another rate, other features or another
    normalisation is refused when it is read, for its vectors would be wrong without a sign of it.
    """

    input_name: str
    dimension: int
    sample_rate_hz: int
    features: str
    normalisation: str
    centres: str
    wide: tuple[float, ...]
    narrow: tuple[float, ...]
    line: tuple[float, ...]

    @property
    def centre_wide(self) -> Vector:
        """Mean vector of many speakers in full band."""
        return np.asarray(self.wide, np.float32)

    @property
    def centre_narrow(self) -> Vector:
        """Mean vector of many speakers in the telephone's band."""
        return np.asarray(self.narrow, np.float32)

    @property
    def centre_line(self) -> Vector:
        """Mean vector of many speakers by a telephone line, 300 to 3400 Hz."""
        return np.asarray(self.line, np.float32)

    @staticmethod
    def _values(given: dict[str, Any]) -> dict[str, Any]:
        for name, computed in (("sample_rate_hz", RATE_HZ), ("features", FEATURES), ("normalisation", NORMALISATION)):
            if given[name] != computed:
                raise ValueError(f"its {name} is {given[name]!r}, and {computed!r} is what is computed here")
        centres = {name: tuple(given[name]) for name in ("wide", "narrow", "line")}
        for name, values in centres.items():
            if len(values) != given["dimension"]:
                raise ValueError(f"its centre {name} has {len(values)} dimensions, not {given['dimension']}")
        return given | centres
