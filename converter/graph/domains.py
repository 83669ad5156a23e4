"""Which values a floating-point input may take: positive where a logarithm reads it, and so on.

Only what is certain counts: the operator reads the input itself, or a scalar multiple of it plus a
scalar. A result that a `Where` may throw away puts no condition on the input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import onnx_ir as ir

from converter.graph.constants import constant_of

ENDLESS = 3.4028234663852886e38
"""float32's largest value: no bound on that side. JSON has no infinity."""

NEAR = 1e-6
"""How far from an open end of a domain values begin."""

Domain = tuple[float, float]

_POSITIVE = (NEAR, math.inf)
_NOT_NEGATIVE = (0.0, math.inf)

_DOMAINS: dict[str, Domain] = {
    "Log": _POSITIVE,
    "Sqrt": _NOT_NEGATIVE,
    "Acosh": (1.0, math.inf),
    "Acos": (-1.0, 1.0),
    "Asin": (-1.0, 1.0),
    "Atanh": (NEAR - 1, 1 - NEAR),
}

_SAME_VALUES = {
    "Cast": 0, "Concat": None, "Expand": 0, "Flatten": 0, "Gather": 0, "GatherElements": 0,
    "GatherND": 0, "Identity": 0, "Reshape": 0, "Slice": 0, "Split": 0, "Squeeze": 0, "Tile": 0,
    "Transpose": 0, "Unsqueeze": 0,
}  # fmt: skip
"""Operators whose result holds values of the input at that position (of any: ``None``)."""


@dataclass(frozen=True)
class _Line:
    """``scale * x + shift`` of the input x."""

    scale: float = 1.0
    shift: float = 0.0


def domain_of(value: ir.Value) -> Domain | None:
    """Return the smallest and largest valid value of an input, both included.

    Returns:
        ``None`` where the graph sets no bound, or none that any value fulfils; `ENDLESS` stands for
        a side without one.
    """
    found: list[Domain] = []
    _follow(value, _Line(), found, set())
    low = max((low for low, _ in found), default=-math.inf)
    high = min((high for _, high in found), default=math.inf)
    if low >= high or (low == -math.inf and high == math.inf):
        return None
    return max(low, -ENDLESS), min(high, ENDLESS)


def _follow(value: ir.Value, line: _Line, found: list[Domain], seen: set[int]) -> None:
    if id(value) in seen or len(seen) > 10_000:
        return
    seen.add(id(value))
    for node, position in value.uses():
        if node.domain not in ("", "ai.onnx"):
            continue
        domain = _domain(node, position)
        if domain is not None and not _guarded(node):
            found.append(_of_input(domain, line))
        elif node.op_type in _SAME_VALUES and _SAME_VALUES[node.op_type] in (None, position):
            for output in node.outputs:
                _follow(output, line, found, seen)
        elif (moved := _moved(node, position, line)) is not None:
            _follow(node.outputs[0], moved, found, seen)


def _domain(node: ir.Node, position: int) -> Domain | None:
    """Return which values an operator takes at this position; ``None``: all of them."""
    if position != 0:
        return None
    if node.op_type != "Pow":
        return _DOMAINS.get(node.op_type)
    values = constant_of(node.inputs[1])
    if values is None:
        return _POSITIVE
    values = values.astype(float)
    if (values == values.round()).all():
        return None
    return _POSITIVE if (values < 0).any() else _NOT_NEGATIVE


def _guarded(node: ir.Node) -> bool:
    """Tell whether `Where` alone reads the result, and so may leave it out."""
    uses = list(node.outputs[0].uses())
    return bool(uses) and all(user.op_type == "Where" for user, _ in uses)


def _of_input(domain: Domain, line: _Line) -> Domain:
    ends = sorted((end - line.shift) / line.scale for end in domain)
    return ends[0], ends[1]


def _moved(node: ir.Node, position: int, line: _Line) -> _Line | None:
    """Return the result of the node as a function of the input; ``None`` where it is no line."""
    if node.op_type == "Neg":
        return _Line(-line.scale, -line.shift)
    if node.op_type not in ("Add", "Sub", "Mul", "Div"):
        return None
    constant = constant_of(node.inputs[1 - position])
    if constant is None or constant.size != 1:
        return None
    number = float(constant.reshape(-1)[0])
    if node.op_type == "Add":
        return _Line(line.scale, line.shift + number)
    if node.op_type == "Sub" and position == 0:
        return _Line(line.scale, line.shift - number)
    if node.op_type == "Sub":
        return _Line(-line.scale, number - line.shift)
    if number == 0 or (node.op_type == "Div" and position == 1):
        return None
    factor = number if node.op_type == "Mul" else 1 / number
    return _Line(line.scale * factor, line.shift * factor)
