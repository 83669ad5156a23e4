"""Attention: softmax, scale and masks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.edit import attribute, before, bypass, put, replace, set_attribute
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import Edit, kind
from benchmarks.mutants.spans import holds

HUGE = 1e3
"""A constant below minus this is a mask's minus infinity."""


@kind("softmax: axis", "Softmax", "LogSoftmax")
def softmax_axis(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The sum is one along another axis."""
    rank = facts.rank(node.inputs[0])
    if rank > 1:
        other = (attribute(node, "axis", -1) - 1) % rank
        yield Edit(lambda rng: set_attribute(node, "axis", other))


@kind("scale: dropped", "Mul", "Div")
def scale_dropped(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A constant factor, as attention's 1/sqrt(d), is left out."""
    index = _scalar(node, facts)
    if index is not None:
        yield Edit(lambda rng: bypass(node, 1 - index), rewires=True)


@kind("scale: by the width, not by its root", "Mul", "Div")
def scale_squared(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A constant factor is applied twice."""
    index = _scalar(node, facts)
    if index is not None:
        factor = facts.constant(node.inputs[index])
        assert factor is not None
        if not factor.any():
            return
        yield Edit(lambda rng: put(node, index, (factor * factor).astype(factor.dtype)))


def _scalar(node: ir.Node, facts: Facts) -> int | None:
    """Return which input is a constant factor other than one."""
    for index in (1, 0) if node.op_type == "Mul" else (1,):
        array = facts.constant(node.inputs[index])
        if array is None or array.size != 1 or array.dtype.kind != "f":
            continue
        if facts.constant(node.inputs[1 - index]) is None and abs(float(array.flat[0])) != 1:
            return index
    return None


@kind("mask: missing", "Where")
def mask_missing(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Nothing is masked out."""
    for index in (1, 2):
        if _masks(facts.constant(node.inputs[index])) and _chosen(node, index, facts):

            def change(rng: np.random.Generator, index=index) -> None:
                shape = before(node, "Shape", [node.inputs[0]])
                everywhere = before(node, "Expand", [np.array(index == 2), shape])
                node.replace_input_with(0, everywhere)

            yield Edit(change, lost=node.inputs[0])


def _chosen(node: ir.Node, index: int, facts: Facts) -> bool:
    """Tell whether the condition of a ``Where`` can ever choose that input."""
    refused = 0 if index == 1 else 1
    return not holds(node.inputs[0], facts, refused, refused)


def _masks(array: np.ndarray | None) -> bool:
    if array is None or array.dtype.kind != "f" or array.size == 0:
        return False
    return bool(array.max() < -HUGE)


@kind("mask: inverted", "Where")
def mask_inverted(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """What counts is masked out, and the other way round."""
    if facts.dtype(node.outputs[0]).startswith("float"):

        def change(rng: np.random.Generator) -> None:
            node.replace_input_with(0, before(node, "Not", [node.inputs[0]]))

        yield Edit(change, lost=node.inputs[0])


@kind("mask: not inverted", "Not")
def not_dropped(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A negation is left out."""
    yield Edit(lambda rng: bypass(node, 0), rewires=True)


@kind("mask: leaks", "Where")
def mask_leaks(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Minus five in place of minus infinity."""
    for index in (1, 2):
        array = facts.constant(node.inputs[index])
        if array is not None and _masks(array) and _chosen(node, index, facts):
            yield Edit(lambda rng, i=index, a=array: put(node, i, np.full_like(a, -5)))


@kind("mask: multiplied", "Where")
def mask_multiplied(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Masked scores are zero in place of minus infinity."""
    for index in (1, 2):
        array = facts.constant(node.inputs[index])
        if array is not None and _masks(array) and _chosen(node, index, facts):
            yield Edit(lambda rng, i=index, a=array: put(node, i, np.zeros_like(a)))


@kind("mask: off by one", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
def mask_off_by_one(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A comparison does, or does not, include equality."""
    other = {
        "Less": "LessOrEqual",
        "LessOrEqual": "Less",
        "Greater": "GreaterOrEqual",
        "GreaterOrEqual": "Greater",
    }
    yield Edit(lambda rng: replace(node, other[node.op_type], list(node.inputs)))


@kind("mask: one of two", "And", "Or")
def one_condition(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Only one of two conditions holds; its shape is kept."""
    neutral = 1 if node.op_type == "And" else 0
    if node.inputs[0] is node.inputs[1]:
        return
    if any(holds(value, facts, neutral, neutral) for value in node.inputs):
        return  # a condition that is the same everywhere
    if facts.shape(node.inputs[0]) == facts.shape(node.outputs[0]) and facts.known(node.inputs[0]):
        yield Edit(lambda rng: bypass(node, 0), rewires=True, lost=node.inputs[1])
    elif facts.shape(node.inputs[1]) == facts.shape(node.outputs[0]) and facts.known(
        node.inputs[1]
    ):
        yield Edit(lambda rng: bypass(node, 1), rewires=True, lost=node.inputs[0])


@kind("attention: key and query exchanged", "MatMul")
def factors_exchanged(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The product of two activations is transposed."""
    shapes = [facts.shape(value) for value in (*node.inputs, *node.outputs)]
    computed = all(facts.constant(value) is None for value in node.inputs)
    if not computed or len(shapes[2]) < 3 or shapes[2][-1] != shapes[2][-2]:
        return
    rank = len(shapes[2])
    perm = (*range(rank - 2), rank - 1, rank - 2)

    def change(rng: np.random.Generator) -> None:
        product = before(node, "MatMul", list(node.inputs))
        replace(node, "Transpose", [product], perm=perm)

    yield Edit(change, rewires=True)


@kind("rotary: sine and cosine exchanged", "Sin", "Cos")
def sine_and_cosine(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The position is encoded by the other function."""
    other = "Cos" if node.op_type == "Sin" else "Sin"
    yield Edit(lambda rng: replace(node, other, list(node.inputs)), rewires=True)
