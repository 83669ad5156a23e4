"""Batch and layer normalisation that Keras writes out.

Keras computes ``x m + (b - u m)`` with ``m = g / sqrt(v + e)``. Where ``u`` and ``v`` are weights,
that is batch normalisation, ``(x - u) / sqrt(v + e) g + b`` (Ioffe and Szegedy 2015, algorithm 1);
where they are mean and variance of ``x`` over its last axis, layer normalisation (Ba et al. 2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import onnx_ir as ir

from converter.graph.structure.rules import matching
from converter.graph.structure.rules.matching import (
    constant,
    either,
    factors,
    is_last,
    made_by,
    number,
    numbers,
    terms,
)
from converter.graph.structure.weights import weight_of


@dataclass(frozen=True)
class _Scaled:
    """``g / sqrt(v + e)``."""

    variance: ir.Value
    epsilon: float
    gain: ir.Value | None


def recover(node: ir.Node) -> bool:
    """Put a normalisation in the place of the sum that it ends in; tell whether there is one."""
    if node.op_type not in ("Add", "Sub") or not node.outputs:
        return False
    sums = list(islice(terms(node.outputs[0]), 4))  # a long chain of sums has many terms
    if len(sums) not in (2, 3):
        return False
    shifts = [value for sign, value in sums if sign == 1 and _is_vector(value)]
    products = [(sign, parts) for sign, value in sums if (parts := factors(value)) is not None]
    if len(products) != 2 or len(shifts) != len(sums) - 2:
        return False
    positive = next((parts for sign, parts in products if sign == 1), None)
    negative = next((parts for sign, parts in products if sign == -1), None)
    if positive is None or negative is None:
        return False
    for x, scale in (positive, positive[::-1]):
        mean = _other(negative, scale)
        scaled = _scaled(scale) if mean is not None else None
        if mean is None or scaled is None:
            continue
        shift = shifts[0] if shifts else None
        if _batch(node, x, mean, scaled, shift) or _layer(node, x, mean, scaled, shift):
            return True
    return False


def _is_vector(value: Any) -> bool:
    """Tell whether a term is a weight of one axis, maybe reshaped to lie along the last one."""
    return isinstance(value, ir.Value) and _vector(value) is not None


def _vector(value: ir.Value | None) -> ir.Value | None:
    """Return the weight of one axis that a value is, seen through a reshape to ``[1, .., n]``."""
    weight = weight_of(value)
    if weight is not None:
        return value if len(weight.shape) == 1 else None
    node = made_by(value, "Reshape")
    if node is None or value is None or value.shape is None:
        return None
    inner = weight_of(node.inputs[0])
    if inner is None or len(inner.shape) != 1:
        return None
    *ones, last = (size if isinstance(size, int) else 0 for size in value.shape)
    return node.inputs[0] if last == inner.shape[0] and set(ones) <= {1} else None


def _other(pair: tuple[ir.Value, ir.Value], one: ir.Value) -> ir.Value | None:
    if pair[0] is one:
        return pair[1]
    return pair[0] if pair[1] is one else None


def _scaled(value: ir.Value) -> _Scaled | None:
    product = made_by(value, "Mul")
    if product is not None:
        for gain, root in either(product):
            inner = _inverse_root(root)
            if inner is not None and _vector(gain) is not None:
                return _Scaled(*inner, _vector(gain))
    inner = _inverse_root(value)
    return _Scaled(*inner, None) if inner is not None else None


def _inverse_root(value: ir.Value) -> tuple[ir.Value, float] | None:
    """Return ``v`` and ``e`` of ``1 / sqrt(v + e)``."""
    inverse = made_by(value, "Reciprocal")
    root = made_by(inverse.inputs[0], "Sqrt") if inverse is not None else None
    total = made_by(root.inputs[0], "Add") if root is not None else None
    for variance, epsilon in either(total) if total is not None else ():
        small = number(epsilon)
        if small is not None:
            return variance, small
    return None


def _batch(
    node: ir.Node, x: ir.Value, mean: ir.Value, scaled: _Scaled, shift: ir.Value | None
) -> bool:
    running = weight_of(mean), weight_of(scaled.variance)
    if x.shape is None or None in running or any(len(w.shape) != 1 for w in running if w):
        return False
    rank = len(x.shape)
    if rank < 2 or x.dtype is None:
        return False
    size = running[0].shape[0]  # type: ignore[union-attr]
    if x.shape[rank - 1] != size:  # broadcast: the statistics lie along no axis of x
        return False
    new: list[ir.Node] = []
    vectors = []
    for given, plain in ((scaled.gain, 1), (_vector(shift), 0)):
        if given is None:
            new.append(constant(np.full(size, plain, x.dtype.numpy()), "plain"))
            given = new[-1].outputs[0]
        vectors.append(given)
    first = (0, rank - 1, *range(1, rank - 1))
    last = (0, *range(2, rank), 1)
    value = x
    if rank > 2:
        new.append(ir.node("Transpose", [x], {"perm": first}))
        value = new[-1].outputs[0]
    new.append(
        ir.node(
            "BatchNormalization",
            [value, *vectors, mean, scaled.variance],
            {"epsilon": scaled.epsilon},
        )
    )
    if rank > 2:
        new.append(ir.node("Transpose", [new[-1].outputs[0]], {"perm": last}))
    matching.replace(node, node.outputs[0], new, new[-1].outputs[0])
    return True


def _layer(
    node: ir.Node, x: ir.Value, mean: ir.Value, scaled: _Scaled, shift: ir.Value | None
) -> bool:
    if scaled.gain is None or x.shape is None or not _is_mean(mean, x):
        return False
    variance = made_by(scaled.variance, "ReduceMean")
    square = made_by(variance.inputs[0], "Mul") if variance is not None else None
    if variance is None or square is None or square.inputs[0] is not square.inputs[1]:
        return False
    difference = made_by(square.inputs[0], "Sub")
    centred = difference is not None and difference.inputs[0] is x and difference.inputs[1] is mean
    if not centred or not _over_last(variance, len(x.shape)):
        return False
    inputs = [x, scaled.gain] + ([_vector(shift)] if shift is not None else [])
    new = ir.node("LayerNormalization", inputs, {"axis": -1, "epsilon": scaled.epsilon})
    matching.replace(node, node.outputs[0], [new], new.outputs[0])
    return True


def _is_mean(value: ir.Value, x: ir.Value) -> bool:
    node = made_by(value, "ReduceMean")
    return node is not None and node.inputs[0] is x and _over_last(node, len(x.shape or ()))


def _over_last(node: ir.Node, rank: int) -> bool:
    axes = numbers(node.inputs[1]) if len(node.inputs) > 1 else None
    given = node.attributes.get("axes")
    keep = node.attributes.get("keepdims")
    kept = keep is None or keep.as_int() == 1
    return kept and is_last(tuple(given.as_ints()) if given else axes, rank)
