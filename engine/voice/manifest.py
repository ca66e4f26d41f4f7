"""What is known of a speaker-embedding model: the small file that lies beside it.

A manifest says what the model takes, where it came from, under which licence, and which centre its vectors have. The
centres belong to the model: another model's vectors have other ones.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np

from engine.voice.voiceprint import Vector

FILE = "manifest.json"
FORMAT = 1  # grows when the files of a model folder change their meaning; older folders are made anew


class ManifestError(Exception):
    """A folder that holds no usable model; the message names it and the way out."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One model. All values but the centres are for people, or are checked when the model is installed."""

    name: str
    file: str
    sha256: str
    input_name: str
    dimension: int
    sample_rate_hz: int
    features: str
    normalisation: str
    licence: str
    source: str
    centres: str
    wide: tuple[float, ...]
    narrow: tuple[float, ...]
    format: int = FORMAT

    @property
    def centre_wide(self) -> Vector:
        """Mean vector of many speakers in full band."""
        return np.asarray(self.wide, np.float32)

    @property
    def centre_narrow(self) -> Vector:
        """Mean vector of many speakers in the telephone's band."""
        return np.asarray(self.narrow, np.float32)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the manifest of a folder.

        Raises:
            ManifestError: missing, of another format, or broken.
        """
        try:
            values = json.loads((folder / FILE).read_text(encoding="utf-8"))
            found = cls(**{**values, "wide": tuple(values["wide"]), "narrow": tuple(values["narrow"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ManifestError(f"{folder} holds no model: {error}; fetch it with `voxroll model fetch`") from error
        if found.format != FORMAT or not len(found.wide) == len(found.narrow) == found.dimension:
            raise ManifestError(f"{folder} holds a model of another version; fetch it with `voxroll model fetch`")
        return found

    def write(self, folder: Path) -> None:
        """Write the manifest into a folder."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
