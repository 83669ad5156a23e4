"""Store a weight the way its consumers read it, and record how.

Where every use of a weight is the same `Transpose`, the weight itself is permuted once and the
nodes go. ``stored = source.transpose(permutation)`` is recorded beside it, so that the original can
be had back bit by bit.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.graph.state import is_state

PERMUTATION = "equiport.permutation"

MOMENTUM = "equiport.momentum"
"""Property of a moving mean: how much of it a step of training keeps."""

FIXED = "equiport.fixed"
"""Property of a moving mean that training does not move, and that is used in training too."""


def fold_transposes(model: ir.Model) -> ir.Model:
    """Fold transpositions into the weights that they read; in place."""
    for value in list(model.graph.initializers.values()):
        permutation = common_permutation(value)
        if permutation is None:
            continue
        consumers = [node for node, _ in value.uses()]
        permute(value, permutation)
        for node in consumers:
            node.outputs[0].replace_all_uses_with(value)
            node.graph.remove(node, safe=True)  # type: ignore[union-attr]
    return model


def common_permutation(value: ir.Value) -> tuple[int, ...] | None:
    """Return the permutation that every use of ``value`` applies, if it is one and the same."""
    if not value.metadata_props.get("equiport.role") or value.is_graph_output() or is_state(value):
        return None
    permutations = set()
    for node, _ in value.uses():
        if node.op_type != "Transpose" or node.domain not in ("", "ai.onnx"):
            return None
        if node.outputs[0].is_graph_output():
            return None
        given = node.attributes.get("perm")
        rank = len(value.shape or ())
        permutations.add(tuple(given.as_ints()) if given else tuple(reversed(range(rank))))
    return permutations.pop() if len(permutations) == 1 else None


def permute(value: ir.Value, permutation: tuple[int, ...]) -> None:
    """Replace a weight by its transposition, read when it is needed, and record it."""
    source = value.const_value
    assert source is not None
    before = value.metadata_props.get(PERMUTATION)
    whole = tuple(map(int, before.split(","))) if before else tuple(range(len(permutation)))
    whole = tuple(whole[axis] for axis in permutation)
    sizes = source.shape.numpy()  # a weight has no open dimension
    shape = ir.Shape([sizes[axis] for axis in permutation])
    value.const_value = ir.LazyTensor(
        lambda: ir.Tensor(
            np.ascontiguousarray(source.numpy().transpose(permutation)),
            name=value.name,
            dtype=source.dtype,
        ),
        dtype=source.dtype,
        shape=shape,
        name=value.name,
    )
    value.shape = shape
    if whole == tuple(range(len(whole))):
        value.metadata_props.pop(PERMUTATION, None)
    else:
        value.metadata_props[PERMUTATION] = ",".join(map(str, whole))
