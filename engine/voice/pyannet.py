"""Builds the ONNX graph of PyanNet, pyannote's segmentation-3.0, from its weights.

PyanNet tells who of up to three speakers talks when in some seconds of sound (Bredin, "pyannote.audio 2.1 speaker
diarization pipeline", Interspeech 2023; its seven classes: Plaquet and Bredin, "Powerset multi-class cross entropy
loss for neural speaker diarization", Interspeech 2023; its first layer: Ravanelli and Bengio, "Speaker Recognition
from Raw Waveform with SincNet", SLT 2018, with odd filters beside the even ones as in Pariente and others, ICASSP
2020; weights MIT). In: arrays by the names of its published state dict. Out: a model `wav` [batch, 1, samples]
float32 at 16 kHz -> `logp` [batch, frames, 7] float32, natural logarithms of probabilities, with free batch and
samples. Every tensor must be used and none may be missing, or the build fails.

The band-pass filters of the first layer are learned as two edges each. They no longer change, so here they are made
once, and the layer is a plain convolution.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from engine.voice.graph import Graph

CLASSES = 7
_STRIDE = 10  # samples between two places of the first filters
_POOL = 3
_LAYERS = 4
_HIDDEN = 128
_MIN_LOW_HZ = 50.0  # added to the learned lower edge
_MIN_BAND_HZ = 50.0  # and to the learned width
_TOP_HZ = 8000.0
_EPSILON = 1e-5  # of instance normalisation, torch's default
_SLOPE = 0.01  # of leaky ReLU, torch's default


def build(weights: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    """Build the model.

    Raises:
        ValueError: a tensor is missing, left over, or of the wrong shape.
    """
    graph = Graph(weights)
    x = _front_end(graph, "wav")
    x = graph.node("Transpose", [x], perm=[2, 0, 1])  # [frames, batch, channels], as LSTM takes it
    for layer in range(_LAYERS):
        x = _lstm(graph, x, layer)
    for layer in range(2):
        x = graph.node("LeakyRelu", [_linear(graph, x, f"linear.{layer}")], alpha=_SLOPE)
    x = graph.node("Transpose", [_linear(graph, x, "classifier")], perm=[1, 0, 2])
    graph.node("LogSoftmax", [x], output="logp", axis=2)
    return graph.model("pyannet", takes={"wav": ["batch", 1, "samples"]}, gives={"logp": ["batch", "frames", CLASSES]})


def filters(
    low_hz: NDArray[np.float32], band_hz: NDArray[np.float32], window: NDArray[np.float32], n: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Make the filters of the first layer: band-passes of even, then of odd symmetry, unit gain in the middle.

    Args:
        low_hz: learned lower edge less 50 Hz, of either sign, (bands, 1).
        band_hz: learned width less 50 Hz, of either sign, (bands, 1).
        window: left half of a Hamming window, (half,).
        n: 2 pi times the time in seconds of the left half, all negative, (1, half).

    Returns:
        Kernels (2 x bands, 1, 2 x half + 1).
    """
    low = _MIN_LOW_HZ + np.abs(low_hz.astype(np.float64))
    high = np.clip(low + _MIN_BAND_HZ + np.abs(band_hz), _MIN_LOW_HZ, _TOP_HZ)
    scale = window / (n * (high - low))
    even = scale * (np.sin(high * n) - np.sin(low * n))
    odd = scale * (np.cos(low * n) - np.cos(high * n))
    middle = np.ones_like(low)
    kernels = np.concatenate(
        [
            np.concatenate([even, middle, even[:, ::-1]], axis=1),
            np.concatenate([odd, 0 * middle, -odd[:, ::-1]], axis=1),
        ]
    )
    return kernels[:, None].astype(np.float32)


def _front_end(graph: Graph, x: str) -> str:
    """From samples to 60 channels in steps of 270 samples, [batch, 60, frames]."""
    x = _norm(graph, x, "sincnet.wav_norm1d")
    parts = (graph.take(f"sincnet.conv1d.0.filterbank.{name}") for name in ("low_hz_", "band_hz_", "window_", "n_"))
    x = graph.node("Abs", [graph.node("Conv", [x, graph.constant(filters(*parts))], strides=[_STRIDE])])
    x = _pooled(graph, x, "sincnet.norm1d.0")
    for layer in (1, 2):
        kernels = (graph.weight(f"sincnet.conv1d.{layer}.{name}") for name in ("weight", "bias"))
        x = _pooled(graph, graph.node("Conv", [x, *kernels]), f"sincnet.norm1d.{layer}")
    return x


def _pooled(graph: Graph, x: str, norm: str) -> str:
    x = graph.node("MaxPool", [x], kernel_shape=[_POOL], strides=[_POOL])
    return graph.node("LeakyRelu", [_norm(graph, x, norm)], alpha=_SLOPE)


def _norm(graph: Graph, x: str, name: str) -> str:
    """Each channel of each row to mean 0 and variance 1, then scale and shift."""
    scale, shift = graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")
    return graph.node("InstanceNormalization", [x, scale, shift], epsilon=_EPSILON)


def _lstm(graph: Graph, x: str, layer: int) -> str:
    """Both directions of one layer, [frames, batch, 2 x 128]."""
    inputs, hidden, biases = [], [], []
    for direction in ("", "_reverse"):
        end = f"l{layer}{direction}"
        inputs.append(_gates(graph.take(f"lstm.weight_ih_{end}")))
        hidden.append(_gates(graph.take(f"lstm.weight_hh_{end}")))
        biases.append(np.concatenate([_gates(graph.take(f"lstm.bias_{kind}_{end}")) for kind in ("ih", "hh")]))
    given = [x, *(graph.constant(np.stack(both)) for both in (inputs, hidden, biases))]
    x = graph.node("LSTM", given, hidden_size=_HIDDEN, direction="bidirectional")  # [frames, 2, batch, 128]
    x = graph.node("Transpose", [x], perm=[0, 2, 1, 3])
    return graph.node("Reshape", [x, graph.constant(np.array([0, 0, 2 * _HIDDEN]))])


def _gates(rows: NDArray[Any]) -> NDArray[Any]:
    """From torch's order of gates (input, forget, cell, output) to ONNX's (input, output, forget, cell)."""
    into, forget, cell, out = np.split(rows, 4)
    return np.concatenate([into, out, forget, cell])


def _linear(graph: Graph, x: str, name: str) -> str:
    x = graph.node("MatMul", [x, graph.constant(np.ascontiguousarray(graph.take(f"{name}.weight").T))])
    return graph.node("Add", [x, graph.weight(f"{name}.bias")])
