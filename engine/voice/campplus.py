"""Builds the ONNX graph of CAM++ from its weights.

CAM++ is a speaker-embedding network (Wang and others, "CAM++: A Fast and Efficient Network for Speaker Verification
Using Context-Aware Masking", Interspeech 2023; weights by the 3D-Speaker project, Apache-2.0). In: arrays by the names
of its published state dict. Out: a model `feats` [batch, frames, 80] float32 -> `embedding` [batch, 192] float32 with
free batch and frames. Every tensor must be used and none may be missing, or the build fails.

The published network pools context over segments of 100 frames with a rounding-up average pool, then spreads it back
over the frames. Both are linear maps of the time axis, so here they are two matrices, made once per run from the
number of frames; the small mask network in between then runs per segment, not per frame, with the same result.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from engine.voice.graph import Graph

DIMENSION = 192
_BINS = 80
_BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers and dilation of the three dense blocks
_SEGMENT = 100  # frames that share one context, at 20 ms a frame after the first TDNN layer
_EPSILON = 1e-5  # of batch normalisation, torch's default


def build(weights: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    """Build the model.

    Raises:
        ValueError: a tensor is missing, left over, or of the wrong shape.
    """
    counters = "num_batches_tracked"  # of training, without use here
    graph = Graph({name: value for name, value in weights.items() if not name.endswith(counters)})
    x = _residual_head(graph, graph.node("Transpose", ["feats"], perm=[0, 2, 1]))
    x = _conv(graph, x, "xvector.tdnn.linear", pads=[2, 2], strides=[2])
    x = _norm_relu(graph, x, "xvector.tdnn.nonlinear.batchnorm")
    over_time = _segments(graph, x)
    for number, (layers, dilation) in enumerate(_BLOCKS, start=1):
        for layer in range(1, layers + 1):
            name = f"xvector.block{number}.tdnnd{layer}"
            x = graph.node("Concat", [x, _cam_layer(graph, x, name, dilation=dilation, over_time=over_time)], axis=1)
        x = _norm_relu(graph, x, f"xvector.transit{number}.nonlinear.batchnorm")
        x = _conv(graph, x, f"xvector.transit{number}.linear")
    x = _norm_relu(graph, x, "xvector.out_nonlinear.batchnorm")
    x = _conv(graph, _statistics(graph, x), "xvector.dense.linear")
    x = _norm(graph, x, "xvector.dense.nonlinear.batchnorm")
    graph.node("Squeeze", [x, graph.constant(np.array([2]))], output="embedding")
    return graph.model(
        "campplus", takes={"feats": ["batch", "frames", _BINS]}, gives={"embedding": ["batch", DIMENSION]}
    )


def _residual_head(graph: Graph, x: str) -> str:
    """Four residual blocks over (mel bin, frame) that leave 32 channels x 10 bins, as one axis of 320."""
    x = graph.node("Unsqueeze", [x, graph.constant(np.array([1]))])
    x = _norm_relu(graph, _conv(graph, x, "head.conv1", pads=[1, 1, 1, 1]), "head.bn1")
    for name, stride in (("layer1.0", 2), ("layer1.1", 1), ("layer2.0", 2), ("layer2.1", 1)):
        x = _residual_block(graph, x, f"head.{name}", stride)
    x = _conv(graph, x, "head.conv2", pads=[1, 1, 1, 1], strides=[2, 1])
    x = _norm_relu(graph, x, "head.bn2")
    return graph.node("Reshape", [x, graph.constant(np.array([0, 320, -1]))])


def _residual_block(graph: Graph, x: str, name: str, stride: int) -> str:
    y = _conv(graph, x, f"{name}.conv1", pads=[1, 1, 1, 1], strides=[stride, 1])
    y = _norm_relu(graph, y, f"{name}.bn1")
    y = _norm(graph, _conv(graph, y, f"{name}.conv2", pads=[1, 1, 1, 1]), f"{name}.bn2")
    if stride != 1:
        x = _norm(graph, _conv(graph, x, f"{name}.shortcut.0", strides=[stride, 1]), f"{name}.shortcut.1")
    return graph.node("Relu", [graph.node("Add", [x, y])])


def _segments(graph: Graph, x: str) -> tuple[str, str]:
    """Make the two matrices over time.

    Returns:
        `pool` [frames, segments], which takes the mean of a segment plus the mean of all frames, and `spread`
        [segments, frames], which gives each frame its segment's value.
    """
    zero, one, size = (graph.constant(np.array(value, np.int64)) for value in (0, 1, _SEGMENT))
    shape = graph.node("Shape", [x])
    frames = graph.node("Gather", [shape, graph.constant(np.array(2, np.int64))])
    of_frame = graph.node("Div", [graph.node("Range", [zero, frames, one]), size])
    last = graph.node("Div", [graph.node("Sub", [frames, one]), size])
    numbers = graph.node("Range", [zero, graph.node("Add", [last, one]), one])
    numbers = graph.node("Unsqueeze", [numbers, graph.constant(np.array([1]))])
    spread = graph.node("Cast", [graph.node("Equal", [of_frame, numbers])], to=TensorProto.FLOAT)
    of_segment = graph.node("ReduceSum", [spread, graph.constant(np.array([1]))], keepdims=1)
    overall = graph.node("Reciprocal", [graph.node("Cast", [frames], to=TensorProto.FLOAT)])
    pool = graph.node("Add", [graph.node("Div", [spread, of_segment]), overall])
    return graph.node("Transpose", [pool], perm=[1, 0]), spread


def _cam_layer(graph: Graph, x: str, name: str, *, dilation: int, over_time: tuple[str, str]) -> str:
    """32 new channels out of all before: bottleneck, local convolution, times a mask drawn from the context."""
    pool, spread = over_time
    x = _conv(graph, _norm_relu(graph, x, f"{name}.nonlinear1.batchnorm"), f"{name}.linear1")
    x = _norm_relu(graph, x, f"{name}.nonlinear2.batchnorm")
    local = _conv(graph, x, f"{name}.cam_layer.linear_local", pads=[dilation, dilation], dilations=[dilation])
    context = _conv(graph, graph.node("MatMul", [x, pool]), f"{name}.cam_layer.linear1")
    mask = graph.node("Sigmoid", [_conv(graph, graph.node("Relu", [context]), f"{name}.cam_layer.linear2")])
    return graph.node("Mul", [local, graph.node("MatMul", [mask, spread])])


def _statistics(graph: Graph, x: str) -> str:
    """Mean and unbiased standard deviation over the frames, [batch, 2 x channels, 1]."""
    mean = graph.node("ReduceMean", [x], axes=[2], keepdims=1)
    away = graph.node("Sub", [x, mean])
    squares = graph.node("ReduceSumSquare", [away], axes=[2], keepdims=1)
    frames = graph.node("Gather", [graph.node("Shape", [x]), graph.constant(np.array(2, np.int64))])
    others = graph.node(
        "Cast", [graph.node("Sub", [frames, graph.constant(np.array(1, np.int64))])], to=TensorProto.FLOAT
    )
    deviation = graph.node("Sqrt", [graph.node("Div", [squares, others])])
    return graph.node("Concat", [mean, deviation], axis=1)


def _conv(graph: Graph, x: str, name: str, **attributes: Any) -> str:
    weight = graph.weight(f"{name}.weight")
    bias = [graph.weight(f"{name}.bias")] if graph.has(f"{name}.bias") else []
    return graph.node("Conv", [x, weight, *bias], **attributes)


def _norm(graph: Graph, x: str, name: str) -> str:
    """Batch normalisation in inference; one without scale and shift gets ones and zeros."""
    mean, variance = graph.take(f"{name}.running_mean"), graph.take(f"{name}.running_var")
    if graph.has(f"{name}.weight"):
        scale, shift = graph.weight(f"{name}.weight"), graph.weight(f"{name}.bias")
    else:
        scale, shift = graph.constant(np.ones_like(mean)), graph.constant(np.zeros_like(mean))
    moments = [graph.constant(mean), graph.constant(variance)]
    return graph.node("BatchNormalization", [x, scale, shift, *moments], epsilon=_EPSILON)


def _norm_relu(graph: Graph, x: str, name: str) -> str:
    return graph.node("Relu", [_norm(graph, x, name)])
