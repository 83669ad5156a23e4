"""Which nodes are layers that every framework has: an operator together with its weights.

Dropout has none; it is a layer because it follows the mode of the model.

A layer says what it computes in the terms of ONNX; how a framework spells it, stands with the
framework's writer (`converter.source`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir

from converter.graph.dropout import axis_of, kind_of, rate_of
from converter.graph.structure.assembled import AnyWeight
from converter.graph.structure.weights import Weight, all_equal, weight_of
from converter.graph.weights import FIXED, MOMENTUM
from converter.rebuild.prepare import plain_domain

Config = dict[str, Any]

Finding = Callable[[ir.Value | None], AnyWeight | None]
"""Tells which weight a value is, ``None`` where it is none."""

CHANNELS_LAST = "equiport"
"""Domain of the operators whose channels are the last axis (`converter.graph.layout`)."""


@dataclass(eq=False)
class Layer:
    """An operator with weights of its own, or with a behaviour that follows the mode.

    Attributes:
        kind: e.g. ``Linear``, ``Conv``.
        config: what its constructor takes, in neutral words.
        weights: by their name in the layer (``weight``, ``bias``).
        inputs, outputs: the values that it reads and makes.
        nodes: what it stands for.
    """

    kind: str
    config: Config
    weights: Mapping[str, AnyWeight]
    inputs: list[ir.Value]
    outputs: list[ir.Value]
    nodes: list[ir.Node] = field(default_factory=list)

    @property
    def frozen(self) -> bool:
        """Whether it learns nothing: its weights are there and none of them is trained."""
        learned = [w for name, w in self.weights.items() if not name.startswith("running_")]
        return bool(learned) and not any(weight.role == "parameter" for weight in learned)

    @property
    def node(self) -> ir.Node:
        """The node that says where it comes from."""
        return self.nodes[-1]


def _ints(node: ir.Node, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    given = node.attributes.get(name)
    return tuple(given.as_ints()) if given else default


def _number(node: ir.Node, name: str, default: Any) -> Any:
    given = node.attributes.get(name)
    return given.value if given else default


def short(sizes: tuple[int, ...]) -> Any:
    """Return one number for all axes where they are the same."""
    return sizes[0] if len(set(sizes)) == 1 else tuple(sizes)


def _decimal(number: float) -> float:
    """Return the shortest decimal of a number of single precision, as an attribute is."""
    return float(str(np.float32(number)))


def _with_bias(
    value: ir.Value | None, size: int, find: Finding = weight_of
) -> AnyWeight | bool | None:
    """Return the bias: a weight of one axis, ``False`` for none, ``None`` for something else."""
    if all_equal(value, 0):
        return False
    bias = find(value)
    return bias if bias is not None and bias.shape == (size,) else None


def only_use(value: ir.Value) -> ir.Node | None:
    """Return the node that alone reads a value, once; ``None`` where there is no such."""
    uses = list(value.uses())
    producer = value.producer()
    if len(uses) != 1 or value.is_graph_output() or producer is None:
        return None
    # What a branch does with a value is not done where the value is made.
    return uses[0][0] if uses[0][0].graph is producer.graph else None


def _linear(node: ir.Node) -> Layer | None:
    """``y = x @ W (+ b)``."""
    value, weight = node.inputs[0], weight_of(node.inputs[1])
    if value is None or weight is None or len(weight.shape) != 2 or weight_of(value):
        return None
    weight, nodes = weight.turned((1, 0)), [node]
    bias: Weight | bool | None = False
    after = only_use(node.outputs[0])
    if after is not None and after.op_type == "Add" and not plain_domain(after.domain):
        other = after.inputs[1] if after.inputs[0] is node.outputs[0] else after.inputs[0]
        given = weight_of(other)
        if given is not None and given.shape == (weight.shape[0],):
            bias, nodes = given, [node, after]
    return _with(
        "Linear", value, nodes, weight, bias, {"in": weight.shape[1], "out": weight.shape[0]}
    )


def _gemm(node: ir.Node) -> Layer | None:
    weight = weight_of(node.inputs[1])
    plain = all(_number(node, name, 1.0) == 1.0 for name in ("alpha", "beta"))
    if weight is None or not plain or _number(node, "transA", 0) or weight_of(node.inputs[0]):
        return None
    weight = weight if _number(node, "transB", 0) else weight.turned((1, 0))
    bias = _with_bias(node.inputs[2] if len(node.inputs) > 2 else None, weight.shape[0])
    config = {"in": weight.shape[1], "out": weight.shape[0]}
    return _with("Linear", node.inputs[0], [node], weight, bias, config)


def _with(
    kind: str,
    value: ir.Value | None,
    nodes: list[ir.Node],
    weight: AnyWeight,
    bias: AnyWeight | bool | None,
    config: Config,
) -> Layer | None:
    if bias is None or value is None:
        return None
    weights = {"weight": weight} | ({} if isinstance(bias, bool) else {"bias": bias})
    config = config | {"bias": not isinstance(bias, bool)}
    return Layer(kind, config, weights, [value], [nodes[-1].outputs[0]], nodes)


def convolution(node: ir.Node, find: Finding = weight_of) -> Layer | None:
    """A convolution; its weight as ONNX has it, ``[out, in / group, spatial...]``.

    Of a transposed one that is ``[in, out / group, spatial...]``. ``padding`` is what goes before
    and behind each axis, or ``"same"``: as much as gives ``ceil(size / stride)``.

    Args:
        find: tells which weight a value is.
    """
    weight = find(node.inputs[1])
    value = node.inputs[0]
    if weight is None or value is None or value.shape is None:
        return None
    rank = len(weight.shape) - 2
    if rank not in (1, 2, 3):
        return None
    last = node.domain == CHANNELS_LAST
    if last:
        weight = weight.turned((rank + 1, rank, *range(rank)))
    transposed = node.op_type == "ConvTranspose"
    groups = _number(node, "group", 1)
    out = weight.shape[1] * groups if transposed else weight.shape[0]
    into = weight.shape[0] if transposed else weight.shape[1] * groups
    padding = _padding(node, rank)
    if padding is None or (transposed and "output_shape" in node.attributes):
        return None
    config: Config = {
        "rank": rank, "in": into, "out": out, "kernel": weight.shape[2:],
        "stride": _ints(node, "strides", (1,) * rank), "padding": padding,
        "dilation": _ints(node, "dilations", (1,) * rank), "groups": groups,
    }  # fmt: skip
    if transposed:
        config["output_padding"] = _ints(node, "output_padding", (0,) * rank)
    bias = _with_bias(node.inputs[2] if len(node.inputs) > 2 else None, out, find)
    nodes = [node]
    if bias is False and (found := _bias_after(node, out, 0 if last else rank, find)) is not None:
        bias, nodes = found
    return _with(node.op_type, value, nodes, weight, bias, config)


def _padding(node: ir.Node, rank: int) -> Any:
    """Return the padding before and behind each axis, ``"same"``, or ``None`` for another rule."""
    automatic = _number(node, "auto_pad", "NOTSET")
    if automatic == "SAME_UPPER" and node.op_type == "Conv":
        return "same"
    if automatic not in ("NOTSET", "VALID"):
        return None
    pads = _ints(node, "pads", (0,) * 2 * rank) if automatic == "NOTSET" else (0,) * 2 * rank
    return tuple(zip(pads[:rank], pads[rank:], strict=True))


def _bias_after(
    node: ir.Node, size: int, behind: int, find: Finding
) -> tuple[AnyWeight, list[ir.Node]] | None:
    """Return the bias that the next node adds along the channels, and both nodes.

    Args:
        behind: how many axes there are behind the channels.
    """
    after = only_use(node.outputs[0])
    if after is None or after.op_type != "Add" or plain_domain(after.domain):
        return None
    other = after.inputs[1] if after.inputs[0] is node.outputs[0] else after.inputs[0]
    if other is None or other.shape is None:
        return None
    # However a vector is laid along one axis, its elements stay in their order.
    vector: ir.Value | None = other
    while vector is not None and (shaped := vector.producer()) is not None:
        if shaped.op_type not in ("Reshape", "Transpose", "Squeeze", "Unsqueeze"):
            break
        vector = shaped.inputs[0]
    bias = find(vector)
    sizes = [item if isinstance(item, int) else 0 for item in other.shape]
    along = sizes[-behind - 1 :] == [size, *[1] * behind] and set(sizes[: -behind - 1]) <= {1}
    return (bias, [node, after]) if bias is not None and bias.shape == (size,) and along else None


def _batch_norm(node: ir.Node) -> Layer | None:
    value, scale, shift, mean, variance = node.inputs
    statistics = {"running_mean": weight_of(mean), "running_var": weight_of(variance)}
    if value is None or value.shape is None or None in statistics.values():
        return None
    if _number(node, "training_mode", 0):
        return None
    weights = {name: weight for name, weight in statistics.items() if weight is not None}
    for name, given, plain in (("weight", scale, 1), ("bias", shift, 0)):
        weight = weight_of(given)
        if weight is not None:
            weights[name] = weight
        elif not all_equal(given, plain):
            return None
    config = {
        "rank": len(value.shape) - 2,
        "last": node.domain == CHANNELS_LAST or len(value.shape) == 2,
        "features": next(iter(weights.values())).shape[0],
        "epsilon": _decimal(_number(node, "epsilon", 1e-5)),
        "fixed": FIXED in weights["running_mean"].initializer.metadata_props,
        "momentum": round(1 - _kept(node, weights["running_mean"]), 7),
        "scale": "weight" in weights,
        "shift": "bias" in weights,
    }
    return Layer("BatchNorm", config, weights, [value], [node.outputs[0]], [node])


def _kept(node: ir.Node, mean: Weight) -> float:
    """Return how much of the moving mean a step of training keeps.

    A graph of Keras' arithmetic does not say; then the trace has said it of the weight.
    """
    said = mean.initializer.metadata_props.get(MOMENTUM)
    return float(said) if said is not None else _decimal(_number(node, "momentum", 0.9))


def _normalised(kind: str) -> Callable[[ir.Node], Layer | None]:
    """Recognise a normalisation over the last axes; its scale is a weight, its shift may be."""

    def recognise(node: ir.Node) -> Layer | None:
        value, weight = node.inputs[0], weight_of(node.inputs[1])
        if value is None or value.shape is None or weight is None:
            return None
        axis = _number(node, "axis", -1)
        axes = -axis if axis < 0 else len(value.shape) - axis
        if len(weight.shape) != axes or len([o for o in node.outputs if o.uses()]) > 1:
            return None
        weights = {"weight": weight}
        shift = node.inputs[2] if len(node.inputs) > 2 else None
        bias = weight_of(shift)
        if bias is not None:
            weights["bias"] = bias
        elif not all_equal(shift, 0):
            return None
        config = {
            "shape": weight.shape, "epsilon": _decimal(_number(node, "epsilon", 1e-5)),
            "bias": "bias" in weights,
        }  # fmt: skip
        return Layer(kind, config, weights, [value], [node.outputs[0]], [node])

    return recognise


def _group_norm(node: ir.Node) -> Layer | None:
    value, weight, bias = node.inputs[0], weight_of(node.inputs[1]), weight_of(node.inputs[2])
    if value is None or weight is None or bias is None:
        return None
    config = {
        "groups": _number(node, "num_groups", 1), "features": weight.shape[0],
        "epsilon": _decimal(_number(node, "epsilon", 1e-5)),
    }  # fmt: skip
    weights = {"weight": weight, "bias": bias}
    return Layer("GroupNorm", config, weights, [value], [node.outputs[0]], [node])


def _embedding(node: ir.Node) -> Layer | None:
    weight, ids = weight_of(node.inputs[0]), node.inputs[1]
    if weight is None or ids is None or _number(node, "axis", 0) or len(weight.shape) != 2:
        return None
    if ids.shape is None or (not ids.shape.rank() and ids.producer() is None):
        return None
    config = {"ids": weight.shape[0], "features": weight.shape[1]}
    return Layer("Embedding", config, {"weight": weight}, [ids], [node.outputs[0]], [node])


def recognised_dropout(node: ir.Node) -> Layer | None:
    """Return the layer of a dropout that follows the mode of the model."""
    value, kind = node.inputs[0], kind_of(node)
    if value is None or kind is None or value.shape is None:
        return None
    config = {"kind": kind, "rate": rate_of(node), "rank": len(value.shape), "axis": axis_of(node)}
    return Layer("Dropout", config, {}, [value], [node.outputs[0]], [node])


KINDS: dict[str, tuple[int, Callable[[ir.Node], Layer | None]]] = {
    "MatMul": (1, _linear),
    "Gemm": (7, _gemm),
    "Conv": (1, convolution),
    "ConvTranspose": (1, convolution),
    "BatchNormalization": (9, _batch_norm),
    "LayerNormalization": (17, _normalised("LayerNorm")),
    "RMSNormalization": (23, _normalised("RMSNorm")),
    "GroupNormalization": (21, _group_norm),
    "Gather": (1, _embedding),
    "Dropout": (7, recognised_dropout),
}
"""Each with the version of the operator from which on it means this."""
