"""An ONNX graph while it is being built from published weights.

In: arrays by the names of a state dict. Out: a checked model in which every tensor was used and none is missing, so
that a network of the wrong shape fails here and not by bad results. What the nodes mean is not known here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_OPSET = 17
_IR_VERSION = 8  # the oldest that opset 17 allows, for the widest choice of runtimes

Shape = Sequence[str | int]


class Graph:
    """Nodes and weights as they are added; names come by count."""

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self._left = dict(weights)
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[onnx.TensorProto] = []

    def node(
        self, kind: str, inputs: Sequence[str], *, output: str = "", more: Sequence[str] = (), **attributes: Any
    ) -> str:
        """Add a node and return the name of its output; `more` names the outputs after the first."""
        name = output or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, list(inputs), [name, *more], **attributes))
        return name

    def constant(self, value: NDArray[Any]) -> str:
        """Add a value that is no weight, or no longer one."""
        name = f"constant_{len(self._initializers)}"
        self._initializers.append(numpy_helper.from_array(value, name))
        return name

    def has(self, name: str) -> bool:
        """Whether that weight is there and not used yet."""
        return name in self._left

    def take(self, name: str) -> NDArray[Any]:
        """Use a weight by its values.

        Raises:
            ValueError: there is none of that name, or it was used before.
        """
        if name not in self._left:
            raise ValueError(f"the weights have no tensor {name}")
        return self._left.pop(name)

    def weight(self, name: str) -> str:
        """Use a weight as it is, under its own name."""
        self._initializers.append(numpy_helper.from_array(self.take(name), name))
        return name

    def model(self, name: str, *, takes: Mapping[str, Shape], gives: Mapping[str, Shape]) -> onnx.ModelProto:
        """Make the model; its inputs and outputs are float32.

        Raises:
            ValueError: weights are left over.
        """
        if self._left:
            raise ValueError(f"{len(self._left)} tensors are not part of the network, such as {next(iter(self._left))}")
        inputs, outputs = (
            [helper.make_tensor_value_info(end, TensorProto.FLOAT, shape) for end, shape in ends.items()]
            for ends in (takes, gives)
        )
        graph = helper.make_graph(self._nodes, name, inputs, outputs, self._initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return model
