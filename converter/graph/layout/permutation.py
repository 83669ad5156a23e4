"""Permutations of axes, and `Transpose` nodes that apply them.

``y = x.transpose(p)`` means ``y.shape[i] == x.shape[p[i]]``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

Permutation = tuple[int, ...]


def to_last(rank: int) -> Permutation:
    """``[batch, channels, spatial...]`` -> ``[batch, spatial..., channels]``."""
    return (0, *range(2, rank), 1)


def to_first(rank: int) -> Permutation:
    """Undo `to_last`."""
    return (0, rank - 1, *range(1, rank - 1))


def inverse(permutation: Sequence[int]) -> Permutation:
    """Return the permutation that undoes it."""
    return tuple(permutation.index(axis) for axis in range(len(permutation)))


def after(second: Sequence[int], first: Sequence[int]) -> Permutation:
    """Return what ``x.transpose(first).transpose(second)`` is in one step."""
    return tuple(first[axis] for axis in second)


def is_transpose(node: ir.Node | None) -> bool:
    """Tell whether a node is ONNX's `Transpose`."""
    return node is not None and node.op_type == "Transpose" and node.domain in ("", "ai.onnx")


def permutation_of(node: ir.Node) -> Permutation | None:
    """Return what a `Transpose` does, ``None`` if it does not say and the rank is not known."""
    given = node.attributes.get("perm")
    if given is not None:
        return tuple(given.as_ints())
    value = node.inputs[0]
    if value is None or value.shape is None:
        return None
    return tuple(reversed(range(len(value.shape))))


def transpose(
    value: ir.Value, permutation: Permutation, before: ir.Node, origin: ir.Node | None = None
) -> ir.Value:
    """Insert a `Transpose` of ``value`` before a node; its provenance is ``origin``'s."""
    node = ir.node("Transpose", [value], attributes={"perm": list(permutation)})
    if origin is not None:
        node.metadata_props.update(origin.metadata_props)
    describe(node.outputs[0], value, permutation)
    assert before.graph is not None
    before.graph.insert_before(before, node)
    return node.outputs[0]


def describe(value: ir.Value, like: ir.Value, permutation: Permutation) -> None:
    """Give a value the type and the permuted shape of another."""
    value.type = like.type
    if like.shape is not None:
        value.shape = ir.Shape([like.shape[axis] for axis in permutation])


def constant(value: ir.Value | None) -> np.ndarray | None:
    """Return the elements of a constant that is no weight of the source, else ``None``."""
    if value is None or "equiport.role" in value.metadata_props:
        return None
    node = value.producer()
    if node is not None and node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
        attribute = node.attributes.get("value")
        if attribute is not None:
            return attribute.as_tensor().numpy()
        ints = node.attributes.get("value_ints")
        return None if ints is None else np.array(ints.as_ints(), np.int64)
    if node is not None or value.const_value is None or not value.is_initializer():
        return None
    return value.const_value.numpy()


def add_constant(array: np.ndarray, before: ir.Node) -> ir.Value:
    """Insert a `Constant` before a node."""
    node = ir.node("Constant", [], attributes={"value": ir.tensor(array)})
    output = node.outputs[0]
    output.type, output.shape = (
        ir.TensorType(ir.DataType.from_numpy(array.dtype)),
        ir.Shape(array.shape),
    )
    assert before.graph is not None
    before.graph.insert_before(before, node)
    return output
