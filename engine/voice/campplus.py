"""Builds the ONNX graph of CAM++ from its weights.

CAM++ is a speaker-embedding network (Wang and others, "CAM++: A Fast and Efficient Network for Speaker Verification
Using Context-Aware Masking", Interspeech 2023; weights by the 3D-Speaker project, Apache-2.0). In: arrays by the names
of its published state dict. Out: a model `feats` [batch, frames, 80] float32 -> `embedding` [batch, 192] float32 with
free batch and frames. Every tensor must be used and none may be missing, or the build fails.

The published network pools context over segments of 100 frames with a rounding-up average pool, then spreads it back
over the frames. Both are linear maps of the time axis, so here they are two matrices, made once per run from the
number of frames; the small mask network in between then runs per segment, not per frame, with the same result.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

DIMENSION = 192
_BINS = 80
_BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers and dilation of the three dense blocks
_SEGMENT = 100  # frames that share one context, at 20 ms a frame after the first TDNN layer
_EPSILON = 1e-5  # of batch normalisation, torch's default
_OPSET = 17
_IR_VERSION = 8  # the oldest that opset 17 allows, for the widest choice of runtimes


def build(weights: Mapping[str, NDArray[Any]]) -> onnx.ModelProto:
    """Build the model.

    Raises:
        ValueError: a tensor is missing, left over, or of the wrong shape.
    """
    graph = _Graph(weights)
    x = _residual_head(graph, graph.node("Transpose", ["feats"], perm=[0, 2, 1]))
    x = graph.conv(x, "xvector.tdnn.linear", pads=[2, 2], strides=[2])
    x = graph.norm_relu(x, "xvector.tdnn.nonlinear.batchnorm")
    over_time = _segments(graph, x)
    for number, (layers, dilation) in enumerate(_BLOCKS, start=1):
        for layer in range(1, layers + 1):
            name = f"xvector.block{number}.tdnnd{layer}"
            x = graph.node("Concat", [x, _cam_layer(graph, x, name, dilation=dilation, over_time=over_time)], axis=1)
        x = graph.norm_relu(x, f"xvector.transit{number}.nonlinear.batchnorm")
        x = graph.conv(x, f"xvector.transit{number}.linear")
    x = graph.norm_relu(x, "xvector.out_nonlinear.batchnorm")
    x = graph.conv(_statistics(graph, x), "xvector.dense.linear")
    x = graph.norm(x, "xvector.dense.nonlinear.batchnorm")
    graph.node("Squeeze", [x, graph.constant(np.array([2]))], output="embedding")
    return graph.model()


def _residual_head(graph: "_Graph", x: str) -> str:
    """Four residual blocks over (mel bin, frame) that leave 32 channels x 10 bins, as one axis of 320."""
    x = graph.node("Unsqueeze", [x, graph.constant(np.array([1]))])
    x = graph.norm_relu(graph.conv(x, "head.conv1", pads=[1, 1, 1, 1]), "head.bn1")
    for name, stride in (("layer1.0", 2), ("layer1.1", 1), ("layer2.0", 2), ("layer2.1", 1)):
        x = _residual_block(graph, x, f"head.{name}", stride)
    x = graph.conv(x, "head.conv2", pads=[1, 1, 1, 1], strides=[2, 1])
    x = graph.norm_relu(x, "head.bn2")
    return graph.node("Reshape", [x, graph.constant(np.array([0, 320, -1]))])


def _residual_block(graph: "_Graph", x: str, name: str, stride: int) -> str:
    y = graph.conv(x, f"{name}.conv1", pads=[1, 1, 1, 1], strides=[stride, 1])
    y = graph.norm_relu(y, f"{name}.bn1")
    y = graph.norm(graph.conv(y, f"{name}.conv2", pads=[1, 1, 1, 1]), f"{name}.bn2")
    if stride != 1:
        x = graph.norm(graph.conv(x, f"{name}.shortcut.0", strides=[stride, 1]), f"{name}.shortcut.1")
    return graph.node("Relu", [graph.node("Add", [x, y])])


def _segments(graph: "_Graph", x: str) -> tuple[str, str]:
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


def _cam_layer(graph: "_Graph", x: str, name: str, *, dilation: int, over_time: tuple[str, str]) -> str:
    """32 new channels out of all before: bottleneck, local convolution, times a mask drawn from the context."""
    pool, spread = over_time
    x = graph.conv(graph.norm_relu(x, f"{name}.nonlinear1.batchnorm"), f"{name}.linear1")
    x = graph.norm_relu(x, f"{name}.nonlinear2.batchnorm")
    local = graph.conv(x, f"{name}.cam_layer.linear_local", pads=[dilation, dilation], dilations=[dilation])
    context = graph.conv(graph.node("MatMul", [x, pool]), f"{name}.cam_layer.linear1")
    mask = graph.node("Sigmoid", [graph.conv(graph.node("Relu", [context]), f"{name}.cam_layer.linear2")])
    return graph.node("Mul", [local, graph.node("MatMul", [mask, spread])])


def _statistics(graph: "_Graph", x: str) -> str:
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


class _Graph:
    """Nodes and weights as they are added; names come by count."""

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        counters = [name for name in weights if name.endswith("num_batches_tracked")]  # of training, without use here
        self._left = {name: value for name, value in weights.items() if name not in counters}
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: Sequence[str], *, output: str = "", **attributes: Any) -> str:
        name = output or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def constant(self, value: NDArray[Any]) -> str:
        name = f"constant_{len(self._initializers)}"
        self._initializers.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, name: str) -> str:
        if name not in self._left:
            raise ValueError(f"the weights have no tensor {name}")
        self._initializers.append(numpy_helper.from_array(self._left.pop(name), name))
        return name

    def conv(self, x: str, name: str, **attributes: Any) -> str:
        bias = [self.weight(f"{name}.bias")] if f"{name}.bias" in self._left else []
        return self.node("Conv", [x, self.weight(f"{name}.weight"), *bias], **attributes)

    def norm(self, x: str, name: str) -> str:
        """Batch normalisation in inference; one without scale and shift gets ones and zeros."""
        size = len(self._left.get(f"{name}.running_mean", ()))
        if f"{name}.weight" in self._left:
            scale, shift = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        else:
            scale, shift = self.constant(np.ones(size, np.float32)), self.constant(np.zeros(size, np.float32))
        moments = [self.weight(f"{name}.running_mean"), self.weight(f"{name}.running_var")]
        return self.node("BatchNormalization", [x, scale, shift, *moments], epsilon=_EPSILON)

    def norm_relu(self, x: str, name: str) -> str:
        return self.node("Relu", [self.norm(x, name)])

    def model(self) -> onnx.ModelProto:
        if self._left:
            raise ValueError(f"{len(self._left)} tensors are not part of the network, such as {next(iter(self._left))}")
        feats = helper.make_tensor_value_info("feats", TensorProto.FLOAT, ["batch", "frames", _BINS])
        embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", DIMENSION])
        graph = helper.make_graph(self._nodes, "campplus", [feats], [embedding], self._initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model
