"""Integers, decisions and orders."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.edit import attribute, before, put, replace, set_attribute
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import Edit, kind
from benchmarks.mutants.spans import holds

ENDLESS = 1 << 63


def _is_integer(value: ir.Value | None, facts: Facts) -> bool:
    return facts.dtype(value) in ("int64", "int32") and facts.constant(value) is None


def _overflow(node: ir.Node, facts: Facts, narrow: ir.DataType) -> Iterator[Edit]:
    bits = 8 if narrow == ir.DataType.INT8 else 32
    for index, value in enumerate(node.inputs):
        if not _is_integer(value, facts) or facts.rank(value) < 1:
            continue
        if holds(value, facts, -(1 << bits - 1), (1 << bits - 1) - 1):
            continue  # nothing wraps around
        wide = ir.DataType.INT64 if facts.dtype(value) == "int64" else ir.DataType.INT32

        def change(rng: np.random.Generator, index=index, value=value, wide=wide) -> None:
            small = before(node, "Cast", [value], to=int(narrow))
            node.replace_input_with(index, before(node, "Cast", [small], to=int(wide)))

        yield Edit(change)


@kind("integer: kept in eight bits", "Gather", "Mul", "Add", "CumSum", "Mod", "ScatterND", "OneHot")
def eight_bits(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """An integer goes through int8 and wraps around."""
    yield from _overflow(node, facts, ir.DataType.INT8)


@kind("integer: kept in 32 bits", "Mul", "Add", "CumSum", "Mod", "Sub")
def thirty_two_bits(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A 64-bit integer goes through int32 and wraps around."""
    if facts.dtype(node.inputs[0]) == "int64":
        yield from _overflow(node, facts, ir.DataType.INT32)


@kind("ArgMax: the last of equals", "ArgMax", "ArgMin")
def last_of_equals(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Of equal values the last is taken in place of the first."""
    other = 1 - attribute(node, "select_last_index", 0)
    yield Edit(lambda rng: set_attribute(node, "select_last_index", other))


@kind("ArgMax: axis", "ArgMax", "ArgMin")
def argmax_axis(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The largest along another axis."""
    rank = facts.rank(node.inputs[0])
    if rank > 1:
        other = (attribute(node, "axis", 0) - 1) % rank
        yield Edit(lambda rng: set_attribute(node, "axis", other))


@kind("ArgMax: of the smallest", "ArgMax", "ArgMin")
def argmin(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The place of the smallest in place of the largest."""
    other = "ArgMin" if node.op_type == "ArgMax" else "ArgMax"
    kept = {key: attribute(node, key) for key in ("axis", "keepdims") if key in node.attributes}
    yield Edit(lambda rng: replace(node, other, list(node.inputs), **kept))


@kind("TopK: order", "TopK")
def topk_order(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The smallest in place of the largest."""
    other = 1 - attribute(node, "largest", 1)
    yield Edit(lambda rng: set_attribute(node, "largest", other))


@kind("TopK: ascending", "TopK")
def topk_ascending(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The right ones in the other order."""
    axis = attribute(node, "axis", -1)
    values = node.outputs

    def change(rng: np.random.Generator) -> None:
        start, end, step = np.array([-1]), np.array([-(1 << 31)]), np.array([-1])
        for value in values:
            readers = list(value.uses())
            if readers and not value.is_graph_output():
                turned = before(readers[0][0], "Slice", [value, start, end, np.array([axis]), step])
                for reader, index in readers:
                    reader.replace_input_with(index, turned)

    yield Edit(change, values[0] if values[0].uses() else values[1])


@kind("CumSum: exclusive", "CumSum")
def exclusive(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The sum leaves out, or takes in, the element itself."""
    other = 1 - attribute(node, "exclusive", 0)
    yield Edit(lambda rng: set_attribute(node, "exclusive", other))


@kind("CumSum: reverse", "CumSum")
def cumsum_reverse(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The sum runs from the end."""
    other = 1 - attribute(node, "reverse", 0)
    yield Edit(lambda rng: set_attribute(node, "reverse", other))


@kind("Mod: sign", "Mod")
def mod_sign(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The remainder has the sign of the dividend in place of the divisor's."""
    if all(holds(value, facts, 0, ENDLESS) for value in node.inputs):
        return  # without a sign the remainders are the same
    other = 1 - attribute(node, "fmod", 0)
    yield Edit(lambda rng: set_attribute(node, "fmod", other))


@kind("division: rounding", "Div")
def floor_division(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Integers are divided towards minus infinity in place of towards zero."""
    dtype = facts.dtype(node.outputs[0])
    if dtype not in ("int64", "int32"):
        return
    if all(holds(value, facts, 0, ENDLESS) for value in node.inputs):
        return  # both ways round the same

    def change(rng: np.random.Generator) -> None:
        a, b = node.inputs
        rest = before(node, "Mod", [a, b])
        replace(node, "Div", [before(node, "Sub", [a, rest]), b])

    yield Edit(change)


@kind("cast: rounded", "Cast")
def cast_rounded(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A float becomes the nearest integer in place of being cut off."""
    floats = facts.dtype(node.inputs[0]).startswith("float")
    if floats and facts.dtype(node.outputs[0]) in ("int64", "int32"):

        def change(rng: np.random.Generator) -> None:
            node.replace_input_with(0, before(node, "Round", [node.inputs[0]]))

        yield Edit(change)


@kind("threshold: moved", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
def threshold(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A constant that floats are compared with is off by a tenth."""
    array = facts.constant(node.inputs[1])
    if array is not None and array.dtype.kind == "f" and array.size == 1 and array.any():
        yield Edit(lambda rng: put(node, 1, (array * 1.1).astype(array.dtype)))


@kind("condition: negated", "Equal")
def negated(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Equal in place of different."""
    if facts.known(node.outputs[0]):

        def change(rng: np.random.Generator) -> None:
            replace(node, "Not", [before(node, "Equal", list(node.inputs))])

        yield Edit(change, rewires=True)
