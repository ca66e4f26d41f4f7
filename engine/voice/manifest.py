"""What is known of a model: the small file that lies beside it.

Every manifest says where the model came from and under which licence. That of a speaker-embedding model says also what
it takes, and which centre its vectors have. The centres belong to the model: another model's vectors have other ones.
What vectors are known by is made of all that, and not of the network's file, which another version of the library that
writes it may write otherwise.
"""

import hashlib
import json
import re
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

_PUBLISHED = re.compile(r", SHA-256 ([0-9a-f]{64})$")
_BUILT = {  # by the weights: the SHA-256 of the files by which vectors were known before `Manifest.ids`
    "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199": (
        "a8a91cb601fb95902c3b2cf6e37177182f2d72b03a5679d66aaf9b823021e2cd",
    )
}


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

    Attributes:
        weights: SHA-256 of the file that the weights were published in; the network's own where that is what came.
    """

    weights: str
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
    def ids(self) -> tuple[str, ...]:
        """What its vectors are known by: the first is given to new ones, the others were given to earlier ones.

        The first is the SHA-256 over everything that decides what vectors are kept: weights, front end and centres.
        """
        names = ("weights", "dimension", "sample_rate_hz", "features", "normalisation", "wide", "narrow", "line")
        made_of = json.dumps([getattr(self, name) for name in names])
        former = {self.sha256, *_BUILT.get(self.weights, ())}
        return hashlib.sha256(made_of.encode()).hexdigest(), *sorted(former)

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
        published = _PUBLISHED.search(given["source"])  # where manifests said so before they had a field for it
        return {"weights": published[1] if published else given["sha256"]} | given | centres
