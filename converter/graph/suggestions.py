"""Values to try for an integer input of which the graph gives no certain bounds.

`converter.graph.bounds` tells what is certain, and what an artifact may declare. These are guesses
for a comparison: the range of the dtype where the values are only computed with (an image's bytes),
small counts where they say how often a loop runs, and numbers around what they are compared with.
Where an index is computed from the input by something that is not followed, nothing is suggested:
an index outside of its table is no valid input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from converter.graph.bounds import COMPARISONS, bounds_of, table_size
from converter.graph.constants import constant_of
from converter.graph.domains import domain_of
from converter.graph.loops import given_to_body
from converter.graph.orders import SEGMENTS, order_of

MOST_COUNT = 7
"""Largest count of a loop that is tried: several turns, and quick."""

LARGEST_EXPONENT = 3

MOST_SEGMENT = 4
"""Largest id of a segment: few segments, so that they have several rows."""

RANGES = {
    ir.DataType.UINT8: (0, 255), ir.DataType.INT8: (-128, 127), ir.DataType.UINT16: (0, 65535),
    ir.DataType.INT16: (-32768, 32767), ir.DataType.UINT32: (0, 255), ir.DataType.UINT64: (0, 255),
}  # fmt: skip
"""All that a narrow dtype holds; of a wide one what a byte holds."""

WIDE = (-128, 127)

_COUNTS = {("Loop", 0), ("Range", 0), ("Range", 1), ("Range", 2), ("Tile", 1),
           ("ConstantOfShape", 0), ("BitShift", 1)}  # fmt: skip
_SIZES = {
    ("Expand", 1), ("OneHot", 1), ("Pad", 1), ("Pad", 3), ("Reshape", 1), ("Resize", 3),
    ("Slice", 1), ("Slice", 2), ("Slice", 3), ("Slice", 4), ("Split", 1), ("Squeeze", 1),
    ("TopK", 1), ("Trilu", 1), ("Unsqueeze", 1),
}  # fmt: skip
"""Inputs that are sizes, axes or places: which are valid depends on what is not known here."""

_BOUNDED = frozenset({"Clip", "IsInf", "IsNaN", "Mod", "Shape", "Size"})
"""Operators whose result no longer depends on how large the input is."""


@dataclass(frozen=True)
class Suggestion:
    """Smallest and largest value to try, both included, and why those."""

    low: int
    high: int
    why: str


@dataclass
class _Seen:
    """What was met on the way of one input through the graph."""

    index: bool = False
    count: bool = False
    value: bool = False
    divisor: bool = False
    exponent: bool = False
    compared: list[float] = field(default_factory=list)


def suggested_bounds(model: ir.Model) -> dict[str, Suggestion]:
    """Return what to try for each integer input that has no certain bounds, by name."""
    certain = bounds_of(model)
    found = {}
    for value in model.graph.inputs:
        known = value.name in certain or value.name in model.graph.initializers
        if known or value.dtype is None or not value.dtype.is_integer():
            continue
        if (suggestion := _suggestion(value)) is not None:
            found[value.name or ""] = suggestion
    return found


def _suggestion(value: ir.Value) -> Suggestion | None:
    if order_of(value) == SEGMENTS:
        return Suggestion(0, MOST_SEGMENT, "because they are ids of segments")
    seen = _Seen()
    _follow(value, seen, set())
    assert value.dtype is not None
    low, high = RANGES.get(value.dtype, WIDE)
    unsigned = low == 0
    if seen.index:
        return None
    if seen.count or seen.exponent:
        most = LARGEST_EXPONENT if seen.exponent else MOST_COUNT
        why = "because it is an exponent" if seen.exponent else "because it counts"
        return Suggestion(int(seen.divisor), most, why)
    if seen.compared:
        around = [int(min(seen.compared)) - 1, int(max(seen.compared)) + 1]
        ends = [low, high, *around] if seen.value else [0, *around]
        low, high = max(min(ends), 0) if unsigned else min(ends), max(ends)
        why = "because it is compared with such"
    elif seen.value:
        why = f"because of its dtype {value.dtype.name.lower()}"
    else:
        return None
    domain = domain_of(value) or (-math.inf, math.inf)
    low = math.ceil(domain[0]) if domain[0] > low else low
    low = max(low, 1) if seen.divisor else low
    high = math.floor(domain[1]) if domain[1] < high else high
    return Suggestion(low, high, why) if low <= high else None


def _follow(value: ir.Value, seen: _Seen, visited: set[int]) -> None:
    """Walk to everything that is computed from a value, and note what it is used as."""
    pending = [value]
    while pending and len(visited) < 10_000:
        value = pending.pop()
        if id(value) in visited:
            continue
        visited.add(id(value))
        for node, position in value.uses():
            pending += _used(node, position, value, seen)


def _used(node: ir.Node, position: int, value: ir.Value, seen: _Seen) -> list[ir.Value]:
    """Note one use; return the values that depend on it."""
    place, name = (node.op_type, position), node.op_type
    integer = value.dtype is None or value.dtype.is_integer()
    if table_size(node, position) is not None or place in _SIZES:
        seen.index = True
        return []
    if place in _COUNTS:
        seen.count = True
        return []
    if name in COMPARISONS:
        constant = constant_of(node.inputs[1 - position])
        if constant is None:
            seen.count = seen.count or integer
        else:
            numbers = np.asarray(constant, dtype=np.float64).reshape(-1)
            seen.compared += [float(x) for x in numbers[np.isfinite(numbers)][:64]]
        return []
    if name in ("Loop", "Scan"):
        inner = given_to_body(node, position)
        return [*([] if inner is None else [inner]), *node.outputs]
    if name in ("Div", "Mod") and position == 1 and integer:
        seen.divisor = True
    if name == "Pow" and position == 1:
        seen.exponent = True
    if name in _BOUNDED and position == 0:
        seen.value = seen.value or name in ("Clip", "Mod")
        return []
    seen.value = True
    return [*node.outputs]
