"""Indices that count from the end: ONNX's `Gather` takes them as they are.

Keras writes ``where(i < 0, i + n, i)`` before a table of ``n`` rows. PyTorch's `nn.Embedding` takes
no index below 0, as Keras' layer promises for none: what arrives as one raises there.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.structure.rules.matching import either, made_by, number


def recover(node: ir.Node) -> bool:
    """Let a `Gather` along the first axis read the plain indices; tell whether it did not yet."""
    if node.op_type != "Gather" or node.inputs[0] is None or node.inputs[0].shape is None:
        return False
    axis = node.attributes.get("axis")
    rows = node.inputs[0].shape[0]
    choice = made_by(node.inputs[1], "Where")
    if choice is None or not isinstance(rows, int) or (axis is not None and axis.as_int()):
        return False
    test, moved, plain = choice.inputs
    less, total = made_by(test, "Less"), made_by(moved, "Add")
    if less is None or total is None or plain is None or number(less.inputs[1]) != 0:
        return False
    if _uncast(less.inputs[0]) is not plain:
        return False
    if not any(one is plain and number(other) == rows for one, other in either(total)):
        return False
    node.replace_input_with(1, plain)
    return True


def _uncast(value: ir.Value | None) -> ir.Value | None:
    """Return what a value was before it was cast; small integers keep their sign in any type."""
    node = made_by(value, "Cast")
    return node.inputs[0] if node is not None else value
