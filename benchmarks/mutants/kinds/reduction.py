"""Reductions and arithmetic."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.edit import attribute, before, bypass, put, replace, set_attribute
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import Edit, kind

REDUCTIONS = ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL2",
              "ReduceL1", "ReduceLogSumExp", "ReduceSumSquare")  # fmt: skip
OTHER = {
    "ReduceMean": "ReduceSum",
    "ReduceSum": "ReduceMean",
    "ReduceMax": "ReduceMean",
    "ReduceMin": "ReduceMax",
    "ReduceProd": "ReduceSum",
    "ReduceL2": "ReduceL1",
    "ReduceL1": "ReduceL2",
    "ReduceLogSumExp": "ReduceMax",
    "ReduceSumSquare": "ReduceSum",
}


def _axes(node: ir.Node, facts: Facts) -> np.ndarray | None:
    return facts.constant(node.inputs[1]) if len(node.inputs) > 1 else None


def _is_float(node: ir.Node, facts: Facts) -> bool:
    return facts.dtype(node.outputs[0]).startswith("float")


@kind("reduce: axis", *REDUCTIONS)
def reduce_axis(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The axis beside is reduced; it has the same size, or the rank is kept."""
    axes, rank = _axes(node, facts), facts.rank(node.inputs[0])
    if axes is None or rank < 2 or axes.size != 1 or not _is_float(node, facts):
        return
    other = (axes - 1) % rank
    yield Edit(lambda rng: put(node, 1, other))


@kind("reduce: one axis left out", *REDUCTIONS)
def axis_left_out(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """One of several axes is not reduced, and its first element taken."""
    axes, rank = _axes(node, facts), facts.rank(node.inputs[0])
    if axes is None or axes.size < 2 or rank < 2 or not _is_float(node, facts):
        return
    last = int(axes[-1])
    kept = attribute(node, "keepdims", 1)

    def change(rng: np.random.Generator) -> None:
        x = node.inputs[0]
        index = np.array([0]) if kept else np.array(0)
        whole = before(node, node.op_type, [x, axes[:-1]], keepdims=1)
        if kept:
            replace(node, "Gather", [whole, index], axis=last)
        else:
            part = before(node, "Gather", [whole, np.array([0])], axis=last)
            replace(node, "Squeeze", [part, axes])

    yield Edit(change)


def _only_reshaped(node: ir.Node, facts: Facts) -> bool:
    """Tell whether the result is given another, fixed shape wherever it is read."""
    targets = [
        facts.constant(reader.inputs[1]) if reader.op_type == "Reshape" else None
        for reader, _ in node.outputs[0].uses()
    ]
    fixed = all(target is not None and (target != 0).all() for target in targets)
    return fixed and not node.outputs[0].is_graph_output()


@kind("reduce: keepdims", *REDUCTIONS)
def keepdims(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A reduced axis is dropped, or kept, and broadcasting hides it."""
    if _is_float(node, facts) and not _only_reshaped(node, facts):
        other = 1 - attribute(node, "keepdims", 1)
        yield Edit(lambda rng: set_attribute(node, "keepdims", other))


@kind("reduce: sum for mean", *REDUCTIONS)
def reduction(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Another reduction over the same axes."""
    if _is_float(node, facts):
        kept = {name: attribute(node, name) for name in ("keepdims", "noop_with_empty_axes")
                if name in node.attributes}  # fmt: skip
        other = OTHER[node.op_type]
        yield Edit(lambda rng: replace(node, other, list(node.inputs), **kept))


@kind("residual: dropped", "Add")
def residual_dropped(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A shortcut is not added."""
    a, b = node.inputs
    computed = facts.constant(a) is None and facts.constant(b) is None
    shapes = [facts.shape(value) for value in (a, b, node.outputs[0])]
    if computed and facts.rank(a) > 1 and shapes[0] == shapes[1] and _is_float(node, facts):
        yield Edit(lambda rng: bypass(node, 0), rewires=True, lost=b)


@kind("gate: dropped", "Mul")
def gate_dropped(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A product of two activations is one of them."""
    a, b = node.inputs
    computed = facts.constant(a) is None and facts.constant(b) is None
    same = facts.shape(a) == facts.shape(node.outputs[0])
    if computed and facts.rank(a) > 1 and same and _is_float(node, facts) and a is not b:
        yield Edit(lambda rng: bypass(node, 0), rewires=True, lost=b)


@kind("operands: exchanged", "Sub", "Div", "Pow")
def operands_exchanged(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """``b - a`` in place of ``a - b``."""
    a, b = node.inputs
    if facts.dtype(a) == facts.dtype(b) and _is_float(node, facts):
        yield Edit(lambda rng: replace(node, node.op_type, [b, a]))


@kind("sign: dropped", "Neg", "Abs")
def sign_dropped(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A negation, or an absolute value, is left out."""
    if _is_float(node, facts):
        yield Edit(lambda rng: bypass(node, 0), rewires=True)


@kind("root: dropped", "Sqrt", "Reciprocal")
def root_dropped(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A root, or a reciprocal, is left out."""
    yield Edit(lambda rng: bypass(node, 0), rewires=True)


@kind("power: exponent", "Pow")
def exponent(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A power is off by a hundredth of its exponent."""
    array = facts.constant(node.inputs[1])
    if array is not None and array.dtype.kind == "f":
        yield Edit(lambda rng: put(node, 1, (array * 1.01).astype(array.dtype)))


@kind("extremum: the other", "Max", "Min")
def extremum(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The largest in place of the smallest, or the other way round."""
    read = facts.content_read(node.outputs[0])
    if len(node.inputs) > 1 and facts.known(node.outputs[0]) and read:
        other = "Min" if node.op_type == "Max" else "Max"
        yield Edit(lambda rng: replace(node, other, list(node.inputs)))


@kind("rounding: halves", "Round")
def halves(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Halves are rounded up in place of to even."""

    def change(rng: np.random.Generator) -> None:
        replace(node, "Floor", [before(node, "Add", [node.inputs[0], np.array(0.5, np.float32)])])

    yield Edit(change)


@kind("rounding: floor and ceil", "Floor", "Ceil")
def floor_and_ceil(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Up in place of down."""
    other = "Ceil" if node.op_type == "Floor" else "Floor"
    yield Edit(lambda rng: replace(node, other, list(node.inputs)))


@kind("matrix: transposition flag", "Gemm")
def gemm_flag(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A square weight is transposed that should not be."""
    shape = facts.shape(node.inputs[1])
    if len(shape) == 2 and shape[0] == shape[1]:
        other = 1 - attribute(node, "transB", 0)
        yield Edit(lambda rng: set_attribute(node, "transB", other))
