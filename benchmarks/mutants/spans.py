"""Which values an integer of a graph can take, so that no fault is planted that cannot show.

Only what follows from the graph: bounds of the inputs, sizes of axes, constants, arithmetic.
"""

from __future__ import annotations

import onnx_ir as ir

from benchmarks.mutants.edit import attribute
from benchmarks.mutants.facts import Facts

Span = tuple[int, int]

LONGEST = 1 << 24
"""No axis of a tensor that fits into memory here has more elements."""

MOVING = frozenset({
    "Cast", "CastLike", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity",
    "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "ReduceMax",
    "ReduceMin",
})  # fmt: skip
"""Operators that give elements of their first input and no others."""


def span(value: ir.Value | None, facts: Facts) -> Span | None:
    """Return the smallest and largest value that an integer or boolean can take.

    ``None``: not known, or no integer. Booleans are 0 and 1.
    """
    if value is None or not value.name or facts.dtype(value)[:3] not in ("int", "boo", "uin"):
        return None
    if value.name not in facts.spans:
        facts.spans[value.name] = None  # what depends on itself is not known
        found = _span(value, facts)
        if found is None and facts.dtype(value) == "bool":
            found = (0, 1)
        facts.spans[value.name] = found
    return facts.spans[value.name]


def holds(value: ir.Value | None, facts: Facts, least: int, most: int) -> bool:
    """Tell whether all that a value can be lies between two numbers, both included."""
    found = span(value, facts)
    return found is not None and least <= found[0] and found[1] <= most


def _span(value: ir.Value, facts: Facts) -> Span | None:
    array = facts.constant(value)
    if array is not None:
        return (int(array.min()), int(array.max())) if array.size else (0, 0)
    node = value.producer()
    if node is None:
        return facts.bounds.get(value.name or "") if value.is_graph_input() else None
    operator = node.op_type
    if operator in ("Shape", "Size"):
        return _sizes(node, facts)
    if operator in ("ArgMax", "ArgMin", "NonZero"):
        return 0, LONGEST
    if operator in MOVING:
        return span(node.inputs[0], facts)
    parts = [span(one, facts) for one in node.inputs[1 if operator == "Where" else 0 :]]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or not known:
        return None
    return _computed(node, known, facts)


def _sizes(node: ir.Node, facts: Facts) -> Span:
    shape = node.inputs[0].shape if node.inputs[0] is not None else None
    dims = list(shape) if shape is not None else []
    if node.op_type == "Shape" and dims and all(isinstance(dim, int) for dim in dims):
        numbers = [int(dim) for dim in dims if isinstance(dim, int)]
        return min(numbers), max(numbers)
    return 0, LONGEST if node.op_type == "Shape" else 1 << 62


def _computed(node: ir.Node, parts: list[Span], facts: Facts) -> Span | None:
    operator, (low, high) = node.op_type, parts[0]
    other = parts[1] if len(parts) > 1 else (0, 0)
    if operator in ("Concat", "Where"):
        return min(part[0] for part in parts), max(part[1] for part in parts)
    if operator in ("Max", "Min"):
        chosen = max if operator == "Max" else min
        return chosen(part[0] for part in parts), chosen(part[1] for part in parts)
    if operator == "Clip":
        return _clipped(parts) if all(value is not None for value in node.inputs) else parts[0]
    if operator == "Range" and parts[2][0] > 0:
        return low, max(low, other[1] - 1)
    if operator == "Add":
        return low + other[0], high + other[1]
    if operator == "Sub":
        return low - other[1], high - other[0]
    if operator == "Mul":
        products = [a * b for a in (low, high) for b in other]
        return min(products), max(products)
    if operator == "Mod" and other[0] > 0 and not attribute(node, "fmod", 0):
        return 0, other[1] - 1
    if operator == "Div" and other[0] == other[1] > 0:
        return int(low / other[0]), int(high / other[0])
    if operator in ("CumSum", "ReduceSum"):
        return min(0, low) * LONGEST, max(0, high) * LONGEST
    return _compared(operator, parts)


def _clipped(parts: list[Span]) -> Span:
    low = max(parts[0][0], parts[1][0]) if len(parts) > 1 else parts[0][0]
    high = min(parts[0][1], parts[2][1]) if len(parts) > 2 else parts[0][1]
    return low, max(low, high)


def _compared(operator: str, parts: list[Span]) -> Span | None:
    """Return the span of a decision: 0 and 1, or one of them where it is the same everywhere."""
    if operator in ("Less", "LessOrEqual"):
        parts = parts[::-1]
        operator = operator.replace("Less", "Greater")
    (low, high), other = parts[0], parts[1] if len(parts) > 1 else (0, 0)
    if operator == "Greater":
        return int(low > other[1]), int(high > other[0])
    if operator == "GreaterOrEqual":
        return int(low >= other[1]), int(high >= other[0])
    if operator == "And":
        return low & other[0], high & other[1]
    if operator == "Or":
        return low | other[0], high | other[1]
    return (1 - high, 1 - low) if operator == "Not" else None
