"""What each operator does when its input is a transposed tensor: the contract per operator.

A rule is given a node and the permutation ``p`` that its data inputs were transposed by. It changes
the node in place so that it takes the tensors before the transposition, and returns the permutation
that turns its new result into the old one; ``None`` if it cannot be done (then it has changed
nothing).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir

from converter.graph.layout.permutation import Permutation, add_constant, constant

Rule = Callable[[ir.Node, Permutation], Permutation | None]

ELEMENTWISE = frozenset(
    "Abs Acos Acosh Add And Asin Asinh Atan Atanh BitwiseAnd BitwiseNot BitwiseOr BitwiseXor "
    "Cast Ceil Celu Clip Cos Cosh Div Dropout Elu Equal Erf Exp Floor Gelu Greater "
    "GreaterOrEqual HardSigmoid HardSwish Identity IsInf IsNaN LeakyRelu Less LessOrEqual Log "
    "Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Selu Sigmoid Sign "
    "Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor".split()
)
"""Operators that broadcast their inputs and look at one element at a time."""

UNARY_WITH_SCALARS = frozenset({"Clip", "Dropout"})
"""Elementwise in the first input; the others are scalars and stay as they are."""

AXIS_DEFAULT = {"Concat": None, "Split": 0, "Softmax": -1, "LogSoftmax": -1, "Hardmax": -1}
REDUCTIONS = frozenset(
    "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
    "ReduceSum ReduceSumSquare".split()
)


def along_axis(node: ir.Node, p: Permutation) -> Permutation | None:
    """`Concat`, `Split`, `Softmax`: the axis moves with the permutation."""
    attribute = node.attributes.get("axis")
    axis = attribute.as_int() if attribute else AXIS_DEFAULT[node.op_type]
    if axis is None:
        return None
    softmax = node.op_type not in ("Concat", "Split")
    assert node.graph is not None
    if softmax and node.graph.opset_imports.get("", 13) < 13:
        return None  # it meant all axes from this one on
    node.attributes["axis"] = ir.AttrInt64("axis", p[axis % len(p)])
    return p


def reduction(node: ir.Node, p: Permutation) -> Permutation | None:
    """The reduced axes move; without ``keepdims`` the others close up."""
    rank = len(p)
    attribute = node.attributes.get("axes")
    given = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    if len(node.inputs) > 1 and node.inputs[1] is not None and given is None:
        return None
    if attribute is not None:
        axes = [axis % rank for axis in attribute.as_ints()]
    elif given is not None:
        axes = [int(axis) % rank for axis in given.reshape(-1)]
    else:
        axes = []
    nothing = node.attributes.get("noop_with_empty_axes")
    if not axes:
        if nothing is not None and nothing.as_int():
            return p
        axes = list(range(rank))
    moved = sorted(p[axis] for axis in axes)
    if attribute is not None:
        node.attributes["axes"] = ir.AttrInt64s("axes", moved)
    elif given is not None:
        node.replace_input_with(1, add_constant(np.array(moved, np.int64), node))
    keep = node.attributes.get("keepdims")
    if keep is None or keep.as_int():
        return p
    left = [axis for axis in range(rank) if axis not in moved]
    return tuple(left.index(p[axis]) for axis in range(rank) if axis not in axes)


def pad(node: ir.Node, p: Permutation) -> Permutation | None:
    """Begin and end of each axis move with it."""
    rank = len(p)
    if len(node.inputs) > 3 and node.inputs[3] is not None:
        return None
    given = constant(node.inputs[1]) if len(node.inputs) > 1 else None
    attribute = node.attributes.get("pads")
    if given is None and attribute is None:
        return None
    pads = list(attribute.as_ints()) if attribute else [int(n) for n in given]  # type: ignore[union-attr]
    moved = [0] * (2 * rank)
    for axis in range(rank):
        moved[p[axis]], moved[p[axis] + rank] = pads[axis], pads[axis + rank]
    if attribute is not None:
        node.attributes["pads"] = ir.AttrInt64s("pads", moved)
    else:
        node.replace_input_with(1, add_constant(np.array(moved, np.int64), node))
    return p


def slice_(node: ir.Node, p: Permutation) -> Permutation | None:
    """The sliced axes move; starts and ends stay beside them."""
    if len(node.inputs) < 4 or node.inputs[3] is None:
        return None
    axes = constant(node.inputs[3])
    if axes is None:
        return None
    moved = np.array([p[int(axis) % len(p)] for axis in axes], np.int64)
    node.replace_input_with(3, add_constant(moved, node))
    return p


def resize(node: ir.Node, p: Permutation) -> Permutation | None:
    """Scales or sizes move with their axes."""
    if "axes" in node.attributes or (len(node.inputs) < 3):
        return None
    if len(node.inputs) > 1 and node.inputs[1] is not None:
        roi = constant(node.inputs[1])
        if roi is None or roi.size:
            return None
    order = [p.index(axis) for axis in range(len(p))]
    for index in (2, 3):
        value = node.inputs[index] if len(node.inputs) > index else None
        if value is None:
            continue
        known = constant(value)
        if known is not None and known.size == 0:
            continue
        if known is not None:
            node.replace_input_with(index, add_constant(known[order], node))
            continue
        picked = ir.node("Gather", [value, add_constant(np.array(order, np.int64), node)])
        picked.outputs[0].type, picked.outputs[0].shape = value.type, value.shape
        assert node.graph is not None
        node.graph.insert_before(node, picked)
        node.replace_input_with(index, picked.outputs[0])
    return p


RULES: dict[str, Rule] = {
    **dict.fromkeys(AXIS_DEFAULT, along_axis),
    **dict.fromkeys(REDUCTIONS, reduction),
    "Pad": pad,
    "Slice": slice_,
    "Resize": resize,
}
