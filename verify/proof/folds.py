"""Foldings done again: normalisation with fixed statistics, folded into the layer before it.

A batch normalisation ``y = (x - mean) / sqrt(variance + epsilon) * scale + shift`` behind a layer
``x = W v + b`` is the layer ``(W k) v + (b - mean) k + shift`` with ``k = scale / sqrt(variance +
epsilon)`` for each channel (Jacob et al., 2018, section 3.2). Here it is done in float64; the
target's numbers must be within a few units in the last place of that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from verify.proof.held import Weight
from verify.proof.placement import ways

ULPS = 4.0
"""Whoever folds in float32 rounds the root, the quotient and the product; sums a few times more."""

LAYERS = {"Conv": 0, "ConvTranspose": 1, "Gemm": None, "MatMul": 1}
"""Operators with a weight as second input, and the axis of that weight's output channels."""

_THROUGH = ("Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten")

Folding = tuple[list[str], list[str], str]


@dataclass(frozen=True)
class Result:
    """What folding gives: float64 numbers and how far float32 arithmetic may be from each."""

    values: np.ndarray
    slack: np.ndarray


def foldings(
    graph: ir.Model, source: Mapping[str, Weight], free: Mapping[str, Weight]
) -> Iterator[Folding]:
    """Yield names of weights that went into a folding, the target's names for it, and words.

    Args:
        graph: the source's graph.
        source: its weights.
        free: tensors of the target that are no other weight's counterpart.
    """
    for node in graph.graph.all_nodes():
        if node.op_type != "BatchNormalization" or len(node.inputs) < 5:
            continue
        names = [value.name if value is not None else None for value in node.inputs[1:5]]
        if not all(name in source for name in names):
            continue
        scale, shift, mean, variance = (_wide(source[str(name)]) for name in names)
        epsilon = node.attributes.get_float("epsilon", 1e-5)
        factor = scale / np.sqrt(variance + epsilon)
        own = [str(name) for name in names]
        yield from _into_layer(node, source, free, factor, mean, shift, own)
        alone = Result(factor, _rounding(factor))
        offset = _sum(shift, -mean * factor)
        multiplied, added = _find(alone, free), _find(offset, free)
        if multiplied and added:
            reason = "normalisation as one multiplication and one addition"
            yield own, [multiplied, added], reason


def _into_layer(
    node: ir.Node, source: Mapping[str, Weight], free: Mapping[str, Weight],
    factor: np.ndarray, mean: np.ndarray, shift: np.ndarray, own: list[str],
) -> Iterator[Folding]:  # fmt: skip
    layer, bias = _layer_before(node.inputs[0], source)
    if layer is None:
        return
    value, order = _behind_transposes(layer.inputs[1])
    if value is None or value.name not in source:
        return
    weight = _wide(source[str(value.name)])
    axis = LAYERS[layer.op_type]
    if axis is None:
        axis = 0 if layer.attributes.get_int("transB", 0) else 1
    seen = weight.transpose(order) if order else weight
    if axis >= seen.ndim or seen.shape[axis] != factor.size:
        return
    shape = [1] * seen.ndim
    shape[axis] = -1
    product = seen * factor.reshape(shape)
    folded = _find(Result(product, _rounding(product)), free)
    if not folded:
        return
    names, targets = [str(value.name), own[0], own[3]], [folded]
    start = _wide(source[bias]) if bias else np.zeros_like(mean)
    if start.size == mean.size:
        offset = _find(_sum(shift, start.reshape(-1) * factor, -mean * factor), free)
        if offset:
            names += [own[1], own[2], *([bias] if bias else [])]
            targets.append(offset)
    yield names, targets, f"normalisation folded into {value.name}"


def _wide(weight: Weight) -> np.ndarray:
    return weight.values().astype(np.float64)


def _rounding(values: np.ndarray) -> np.ndarray:
    return ULPS * np.abs(values) * 2.0**-23


def _sum(*parts: np.ndarray) -> Result:
    """Add up; what cancels rounds as the largest part does."""
    size = sum(np.abs(part) for part in parts)
    return Result(np.asarray(sum(parts)), _rounding(np.asarray(size)))


def _find(result: Result, free: Mapping[str, Weight]) -> str:
    """Return the target's tensor that holds a result in any order of axes, ``""`` if none does."""
    for name, weight in free.items():
        if not weight.is_float or weight.bits.size != result.values.size or weight.bits.size < 2:
            continue
        values = weight.values()
        for piece, _ in ways(result.values.shape, values.shape, name):
            seen = piece.read({name: values}).astype(np.float64)
            if np.all(np.abs(seen - result.values) <= result.slack):
                return name
    return ""


def _layer_before(
    value: ir.Value | None, source: Mapping[str, Weight]
) -> tuple[ir.Node | None, str]:
    """Return the layer whose result a normalisation reads, and the name of its bias, if any."""
    bias = ""
    while value is not None and (node := value.producer()) is not None:
        if node.op_type in LAYERS:
            if len(node.inputs) > 2 and node.inputs[2] is not None:
                bias = bias or str(node.inputs[2].name)
            return node, bias if bias in source else ""
        if node.op_type == "Add" and not bias:
            added = [v for v in node.inputs if v is not None and v.name in source]
            others = [v for v in node.inputs if v is not None and v.name not in source]
            if len(added) != 1 or len(others) != 1:
                return None, ""
            bias, value = str(added[0].name), others[0]
        elif node.op_type in _THROUGH:
            value = node.inputs[0]
        else:
            return None, ""
    return None, ""


def _behind_transposes(value: ir.Value | None) -> tuple[ir.Value | None, tuple[int, ...]]:
    """Return the initializer that a layer reads, and the transposition on the way."""
    order: tuple[int, ...] = ()
    while value is not None and (node := value.producer()) is not None:
        if node.op_type == "Transpose":
            given = node.attributes.get("perm")
            rank = len(value.shape or ())
            own = tuple(given.as_ints()) if given else tuple(reversed(range(rank)))
            order = tuple(own[axis] for axis in order) if order else own
        elif node.op_type != "Identity":
            return None, ()
        value = node.inputs[0]
    return value, order
