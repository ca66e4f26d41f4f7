"""The segmentation graph, against the same network written once more, and against torch's."""

import numpy as np
import pytest

from config import settings
from engine.voice import model, pyannet
from engine.voice.manifest import SEGMENTATION
from engine.voice.segmentation import Segmenter
from engine.voice.speech import session
from tests.support.pyannet import drawn, logp
from tests.support.speech import readers, said


def test_graph_computes_what_the_layers_say() -> None:
    weights = drawn(1)
    wav = said("1688", seconds=4)
    graph = session(pyannet.build(weights).SerializeToString())
    (found,) = graph.run(None, {"wav": np.stack([wav, wav[::-1]])[:, None]})
    assert found.shape == (2, 234, 7)
    assert np.ptp(found, axis=1).min() > 0.3  # the weights do listen
    np.testing.assert_allclose(found[0], logp(weights, wav), atol=1e-4)
    np.testing.assert_allclose(found[1], logp(weights, wav[::-1]), atol=1e-4)


def test_published_weights_give_what_torch_gives() -> None:
    readers()
    sound = said("1688", seconds=10)
    sound[80000:] += said("1998", seconds=10)[80000:]
    folder = model.ensure(settings.load().cache_dir).parent / SEGMENTATION
    (found,) = Segmenter(folder / "model.onnx").frames(sound)
    assert found.shape == (589, 7)
    # computed by torch 2.13 from the same checkpoint, loaded strictly: frames 100, 300, 450, 560
    torch = [
        [-1.866, -5.406, -0.203, -3.808, -7.629, -11.412, -6.557],
        [-7.932, -7.186, -2.649, -3.215, -3.475, -5.174, -0.161],
        [-6.618, -5.027, -0.482, -1.319, -5.740, -6.855, -2.276],
        [-6.860, -5.295, -0.976, -1.754, -3.879, -5.430, -0.870],
    ]
    np.testing.assert_allclose(found[[100, 300, 450, 560]], torch, atol=2e-3)


def test_a_tensor_too_few_or_too_many_is_refused() -> None:
    weights = drawn(2)
    with pytest.raises(ValueError, match=r"not part of the network, such as linear\.2\.weight"):
        pyannet.build(weights | {"linear.2.weight": weights["linear.1.weight"]})
    for name in weights:
        with pytest.raises(ValueError, match=f"no tensor {name}"):
            pyannet.build({other: value for other, value in weights.items() if other != name})
