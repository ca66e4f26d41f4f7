"""Builds the ONNX graph of Silero VAD for whole stretches of sound, from the weights in its authors' file.

In: that file. Out: a model `chunks` [chunks, 576], `h` and `c` [1, 1, 128] -> `chance` [chunks, 1, 1, 1] and the next
`h` and `c`. It computes what the authors' graph computes when it is called chunk after chunk, to 1e-5.

Theirs takes one chunk a call, and most of a call is overhead. Only the LSTM needs chunks in turn. All before it looks
at one chunk alone, so many chunks go through together, and since a chunk is but four frames wide, its convolutions are
written as products of matrices: 4 to 8 times as fast.
"""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from engine.voice.graph import Graph

STATE = 128
_CHUNK, _EDGE = 576, 64  # samples of a chunk; so many are mirrored at its end
_FFT, _HOP, _LINES = 256, 128, 129
_FRAMES = 4  # of a chunk


def build(file: Path) -> onnx.ModelProto:
    """Build the model.

    Raises:
        ValueError: the file holds another network.
    """
    weights = {one.name.removeprefix("model."): numpy_helper.to_array(one) for one in onnx.load(file).graph.initializer}
    graph = Graph(weights)
    x = _spectrum(graph, "chunks")
    x = _conv(graph, x, 0, frames=_FRAMES, stride=1)
    x = _conv(graph, x, 1, frames=_FRAMES, stride=2)
    x = _conv(graph, x, 2, frames=2, stride=2)
    x = _conv(graph, x, 3, frames=1, stride=1)
    x = _lstm(graph, x)  # [chunks, 1, 1, 128]
    last = "decoder.decoder.2"
    x = graph.node("MatMul", [graph.node("Relu", [x]), graph.constant(graph.take(f"{last}.weight")[0])])
    graph.node("Sigmoid", [graph.node("Add", [x, graph.weight(f"{last}.bias")])], output="chance")
    state: dict[str, list[str | int]] = {"h": [1, 1, STATE], "c": [1, 1, STATE]}
    return graph.model(
        "silero",
        takes={"chunks": ["chunks", _CHUNK], **state},
        gives={"chance": ["chunks", 1, 1, 1], **{f"{name}_next": shape for name, shape in state.items()}},
    )


def _spectrum(graph: Graph, x: str) -> str:
    """Magnitudes of four frames, [chunks, 4, 129]."""
    x = graph.node("Pad", [x, _numbers(graph, 0, 0, 0, _EDGE)], mode="reflect")
    frames = [_part(graph, x, axis=1, start=at * _HOP, end=at * _HOP + _FFT) for at in range(_FRAMES)]
    x = graph.node("Reshape", [graph.node("Concat", frames, axis=1), _numbers(graph, -1, _FRAMES, _FFT)])
    x = graph.node("MatMul", [x, graph.constant(_turned(graph.take("stft.forward_basis_buffer")[:, 0]))])
    parts = [_part(graph, x, axis=2, start=at, end=at + _LINES) for at in (0, _LINES)]
    squares = [graph.node("Mul", [part, part]) for part in parts]
    return graph.node("Sqrt", [graph.node("Add", squares)])


def _conv(graph: Graph, x: str, number: int, *, frames: int, stride: int) -> str:
    """A convolution over three frames, one of silence added on both sides, and ReLU; [chunks, frames / stride, out]."""
    name = f"encoder.{number}.reparam_conv"
    weight = graph.take(f"{name}.weight")  # [out, in, 3]
    out = frames // stride
    x = graph.node("Pad", [x, _numbers(graph, 0, 1, 0, 0, 1, 0)])
    taps = [_part(graph, x, axis=1, start=tap, end=tap + (out - 1) * stride + 1, step=stride) for tap in range(3)]
    x = graph.node("Reshape", [graph.node("Concat", taps, axis=2), _numbers(graph, -1, 3 * weight.shape[1])])
    matrix = weight.transpose(2, 1, 0).reshape(-1, weight.shape[0])
    x = graph.node("Gemm", [x, graph.constant(np.ascontiguousarray(matrix)), graph.weight(f"{name}.bias")])
    return graph.node("Reshape", [graph.node("Relu", [x]), _numbers(graph, -1, out, weight.shape[0])])


def _lstm(graph: Graph, x: str) -> str:
    """One layer, one direction, chunks as its time."""
    inputs, hidden, bias, other = (
        _gates(graph.take(f"decoder.rnn.{name}")) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    given = [graph.constant(value[None]) for value in (inputs, hidden, np.concatenate([bias, other]))]
    return graph.node("LSTM", [x, *given, "", "h", "c"], more=("h_next", "c_next"), hidden_size=STATE)


def _gates(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """From torch's order of gates (input, forget, cell, output) to ONNX's (input, output, forget, cell)."""
    into, forget, cell, out = np.split(rows, 4)
    return np.concatenate([into, out, forget, cell])


def _turned(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(matrix.T)


def _part(graph: Graph, x: str, *, axis: int, start: int, end: int, step: int = 1) -> str:  # noqa: PLR0913  ONNX's Slice
    return graph.node("Slice", [x, *(_numbers(graph, value) for value in (start, end, axis, step))])


def _numbers(graph: Graph, *values: int) -> str:
    return graph.constant(np.array(values, np.int64))
