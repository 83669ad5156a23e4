"""Small graphs for the locator, the faults planted in them, and a mutant's other names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper

Fault = Callable[[ir.Node], None]


def network(seed: int) -> ir.Model:
    """Build a graph of many kinds: convolution, normalization, GELU behind a small scale, softmax.

    Input ``x`` is ``[batch, 3, 8, 8]``; outputs are ``probabilities`` and ``label``.
    """
    draw = np.random.default_rng(seed)

    def array(*shape: int, scale: float = 1.0) -> np.ndarray:
        return (draw.standard_normal(shape) * scale).astype(np.float32)

    weights = {
        "conv.weight": array(6, 3, 3, 3, scale=0.3),
        "conv.bias": array(6),
        "norm.weight": array(6) + 2,
        "norm.bias": np.abs(array(6)),
        "norm.mean": array(6),
        "norm.var": np.abs(array(6)) + 0.5,
        "up.weight": array(64, 32, scale=0.2),
        "up.bias": array(32),
        "down.weight": array(32, 64, scale=0.2),
        "layer_scale": np.full(64, 1e-6, np.float32),
        "places": array(128, 1),
        "head.weight": array(6, 5),
    }
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "conv.weight", "conv.bias"], ["convolved"], "conv", pads=[1, 1, 1, 1]),
        node("BatchNormalization",
             ["convolved", "norm.weight", "norm.bias", "norm.mean", "norm.var"],
             ["normal"], "norm", epsilon=1e-5),
        node("Relu", ["normal"], ["positive"], "relu"),
        node("Reshape", ["positive", "rows"], ["flat"], "flatten"),
        node("MatMul", ["flat", "up.weight"], ["raised"], "up"),
        node("Add", ["raised", "up.bias"], ["biased"], "up_bias"),
        node("Gelu", ["biased"], ["active"], "gelu"),
        node("MatMul", ["active", "down.weight"], ["lowered"], "down"),
        node("Mul", ["lowered", "layer_scale"], ["scaled"], "scale"),
        node("Add", ["flat", "scaled"], ["residual"], "add"),
        node("Transpose", ["residual"], ["turned"], "turn", perm=[0, 2, 1]),
        node("Tanh", ["turned"], ["bounded"], "squash"),
        node("Concat", ["turned", "bounded"], ["both"], "join", axis=1),
        node("Mul", ["both", "places"], ["placed"], "place"),
        node("ReduceMean", ["placed", "axis"], ["pooled"], "pool", keepdims=0),
        node("MatMul", ["pooled", "head.weight"], ["logits"], "head"),
        node("Softmax", ["logits"], ["probabilities"], "softmax", axis=-1),
        node("ArgMax", ["logits"], ["label"], "argmax", axis=1, keepdims=0),
    ]  # fmt: skip
    constants = {"rows": np.array([0, 6, 64]), "axis": np.array([1])}
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 5]),
            helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
        ],
        [numpy_helper.from_array(a, n) for n, a in {**weights, **constants}.items()],
    )
    model = ir.from_proto(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    )
    for name in weights:
        model.graph.initializers[name].metadata_props["equiport.role"] = "parameter"
    for item in model.graph:
        item.metadata_props["equiport.module_path"] = f"net.{item.name}"
        item.metadata_props["equiport.source_line"] = f"net.py:{len(item.name or '')}"
    return model


def inputs(seed: int, batch: int = 2) -> dict[str, np.ndarray]:
    """Return the network's input."""
    draw = np.random.default_rng(seed + 1)
    return {"x": draw.standard_normal((batch, 3, 8, 8)).astype(np.float32)}


def disguised(model: ir.Model) -> ir.Model:
    """Return a copy in which nothing but inputs and outputs keeps its name."""
    copy = model.clone()
    kept = {value.name for value in (*copy.graph.inputs, *copy.graph.outputs)}
    for index, node in enumerate(copy.graph):
        node.name = f"n{index}"
        node.metadata_props.clear()
        for place, value in enumerate(node.outputs):
            if value.name and value.name not in kept:
                value.name = f"v{index}_{place}"
    for index, value in enumerate(list(copy.graph.initializers.values())):
        value.metadata_props.clear()
        value.name = f"w{index}"
    return copy


def with_fault(model: ir.Model, name: str, fault: Fault) -> ir.Model:
    """Return a disguised copy with a fault planted at the node called ``name``."""
    index = next(i for i, node in enumerate(model.graph) if node.name == name)
    copy = disguised(model)
    fault(list(copy.graph)[index])
    return copy


def attribute(name: str, value: ir.Attr) -> Fault:
    """Set an attribute."""
    return lambda node: node.attributes.__setitem__(name, value)


def operator(name: str) -> Fault:
    """Put another operator in its place."""

    def change(node: ir.Node) -> None:
        node.op_type = name

    return change


def weight(place: int, change: Callable[[np.ndarray], np.ndarray]) -> Fault:
    """Change the weight that a node reads at ``place``."""

    def plant(node: ir.Node) -> None:
        value = node.inputs[place]
        assert value is not None
        assert value.const_value is not None
        old = value.const_value.numpy()
        value.const_value = ir.Tensor(change(old.copy()).astype(old.dtype), name=value.name)

    return plant


def one_element(array: np.ndarray) -> np.ndarray:
    """Move one element by a tenth of the deviation."""
    array.reshape(-1)[array.size // 2] += 0.1 * array.std()
    return array


def swapped(node: ir.Node) -> None:
    """Read the first two inputs the other way round."""
    first, second = node.inputs[:2]
    node.replace_input_with(0, second)
    node.replace_input_with(1, first)


def half_precision(node: ir.Node) -> None:
    """Round the first input to float16 on its way in."""
    value, graph = node.inputs[0], node.graph
    assert graph is not None
    down = ir.Node("", "Cast", [value], [ir.AttrInt64("to", 10)])
    up = ir.Node("", "Cast", [down.outputs[0]], [ir.AttrInt64("to", 1)])
    for step, kind in ((down, ir.DataType.FLOAT16), (up, ir.DataType.FLOAT)):
        step.outputs[0].name = f"cast_{kind.name}"
        step.outputs[0].type = ir.TensorType(kind)
    graph.insert_before(node, [down, up])  # type: ignore[union-attr]
    node.replace_input_with(0, up.outputs[0])


@dataclass(frozen=True)
class Planted:
    """A fault and the node that is to blame."""

    node: str
    fault: Fault


FAULTS = {
    "asymmetric pad": Planted("conv", attribute("pads", ir.AttrInt64s("pads", [0, 1, 2, 1]))),
    "one weight element": Planted("conv", weight(1, one_element)),
    "weight in float16": Planted("up", weight(1, lambda array: array.astype(np.float16))),
    "epsilon x10": Planted("norm", attribute("epsilon", ir.AttrFloat32("epsilon", 1e-4))),
    "mean for variance": Planted("norm", lambda node: (
        node.replace_input_with(3, node.inputs[4]))),
    "leaky": Planted("relu", operator("LeakyRelu")),
    "tanh GELU behind 1e-6": Planted(
        "gelu", attribute("approximate", ir.AttrString("approximate", "tanh"))),
    "bias element zeroed": Planted("up_bias", weight(
        1, lambda array: np.where(np.arange(array.size) == 3, 0, array))),
    "layer scale": Planted("scale", weight(1, lambda array: array * np.float32(1.001))),
    "subtracted": Planted("add", operator("Sub")),
    "concat order": Planted("join", swapped),
    "softmax axis": Planted("softmax", attribute("axis", ir.AttrInt64("axis", 0))),
    "last for first": Planted("argmax", operator("ArgMin")),
    "float16 in the middle": Planted("down", half_precision),
    "float16 before a small scale": Planted("scale", half_precision),
}  # fmt: skip
