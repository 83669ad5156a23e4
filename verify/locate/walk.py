"""Go through graph b, on the reference's own values wherever b has them.

Each node of b runs on what it reads. A result that the reference has too, under whatever name and
in whatever layout, is replaced by the reference's: what follows runs on the reference's own inputs,
errors do not add up, and what both graphs have in common is not run at all.

A result may differ from the reference's by a multiple of the noise of the nodes in between: they
run a second time with their constants moved by one rounding (those that the reference has not got
bit by bit, which were folded or cast) and the values they read moved by float64's rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir
import torch

from converter.rebuild.graph_values import constant_tensor
from verify.locate.attributes import moved_attributes
from verify.locate.closeness import (
    FLOOR,
    SAFETY,
    SAME,
    SCRAMBLED,
    Found,
    compare,
    error_of,
    fingerprint,
    flat,
    laid_out,
)
from verify.locate.graph import Table, Wide, compute, key_of
from verify.locate.kernels import NodeFailed, read_values
from verify.locate.recording import Recording, fed

JITTER = 2e-14
"""Relative size of what float64's own rounding does to a value, generously."""

LOOSEST = 3e-5
"""No noise makes a larger relative error pass for equal."""

STEPS = frozenset(
    "Floor Ceil Round Mod Sign Less LessOrEqual Greater GreaterOrEqual Equal ArgMax ArgMin TopK "
    "NonZero Cast CastLike Resize Upsample Range NonMaxSuppression Unique QuantizeLinear "
    "DynamicQuantizeLinear OneHot Hardmax Where RoiAlign ConstantOfShape".split()
)
"""Operators for which a small change may be a large one; nothing that they read is moved."""


@dataclass
class Item:
    """One value of b.

    Attributes:
        number: of the value that what follows reads: the reference's where it has it; ``None``:
            it could not be computed.
        found: where the reference has it.
        base: the reference's number for it, if any.
        raw: number of b's own result.
        twin: the result with everything moved by its noise; ``None``: exact.
        resolved: it is the reference's value, or stands for it.
        frontier: the reference's numbers that it is computed from, through what is not resolved.
        noise: relative size of what its noise does to it.
    """

    number: int | None
    found: Found | None = None
    base: int | None = None
    raw: int | None = None
    twin: Any = None
    resolved: bool = False
    frontier: frozenset[int] = frozenset()
    noise: float = 0.0


Pairing = Callable[["Walk", ir.Node, Sequence["Item | None"], list["Item"]], None]


@dataclass
class Walk:
    """Graph b under way.

    Attributes:
        recording: the reference.
        wide: graph b.
        items: what is known of each value of b.
        matches: the reference's numbers that b has, and how.
        counterparts: the value of b that stands for a number of the reference.
        failed: why a node of b could not be run.
    """

    recording: Recording
    wide: Wide
    table: Table
    unit: float
    rounded: frozenset[ir.DataType]
    items: dict[ir.Value, Item] = field(default_factory=dict)
    matches: dict[int, Found] = field(default_factory=dict)
    counterparts: dict[int, ir.Value] = field(default_factory=dict)
    failed: dict[ir.Node, str] = field(default_factory=dict)
    known: dict[int, bool] = field(default_factory=dict)
    moved: dict[tuple[int, float], Any] = field(default_factory=dict)

    def match(self, number: int, found: Found, value: ir.Value) -> None:
        """Note that b has a value of the reference; the best of several counts."""
        best = self.matches.get(number)
        if best is None or _rank(found) < _rank(best):
            self.matches[number] = found
            self.counterparts[number] = value


def _rank(found: Found) -> tuple[int, float]:
    return (0 if found.layout == SAME else 2 if found.layout == SCRAMBLED else 1), found.error


def walk(
    recording: Recording, wide: Wide, inputs: dict[str, Any], pair: Pairing | None = None
) -> Walk:
    """Run graph b on the reference's own values.

    Args:
        pair: called for a node of b with results that the reference has not got; may say what
            they stand for.
    """
    own = recording.wide.floats()
    rounded = frozenset(
        kind for kind in wide.floats() - own
        if kind in (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
        or (kind == ir.DataType.FLOAT and own == {ir.DataType.DOUBLE})
    )  # fmt: skip
    state = Walk(recording, wide, recording.table.child(), _unit(own), rounded)
    for value, number in fed(wide, inputs, state.table).items():
        if constant_tensor(value) is not None:
            state.items[value] = Item(number, raw=number, resolved=True)
            if number in recording.owners:
                state.match(number, Found(0.0, FLOOR, SAME), value)
            continue
        item = state.items[value] = _input(state, number)
        if item.found is not None and item.base is not None:
            state.match(item.base, item.found, value)
    for node in wide.nodes:
        _visit(state, node, pair)
    return state


def _input(state: Walk, number: int) -> Item:
    """Return what is known of an input: it may have another type or layout than the reference's."""
    if number in state.recording.owners:
        same = Found(0.0, FLOOR, SAME)
        return Item(number, same, number, number, None, True, frozenset({number}))
    value = state.table.values[number]
    found, base = _search(state, value, flat(value), 0.0)
    frontier = frozenset() if base is None else frozenset({base})
    return Item(number, found, base, number, None, True, frontier)


def _unit(kinds: set[ir.DataType]) -> float:
    """Return half a unit in the last place of the reference's weights, relative."""
    if ir.DataType.FLOAT in kinds or not kinds & {ir.DataType.FLOAT16, ir.DataType.BFLOAT16}:
        return 2.0**-24
    return 2.0**-11 if ir.DataType.FLOAT16 in kinds else 2.0**-8


def _visit(state: Walk, node: ir.Node, pair: Pairing | None) -> None:
    read = read_values(node)
    items = [None if value is None else state.items.get(value) for value in read]
    if any(v is not None and (i is None or i.number is None)
           for v, i in zip(read, items, strict=True)):  # fmt: skip
        results = None
    else:
        results = _results(state, node, [None if i is None else i.number for i in items])
    outputs = [value for value in node.outputs if value.name]
    frontier = frozenset().union(*(item.frontier for item in items if item is not None))
    if results is None:
        made = [Item(None, frontier=frontier) for _ in outputs]
    else:
        twins: list[Any] | None = None
        made = []
        for place, value in enumerate(node.outputs):
            if not value.name:
                continue
            number = results[place]
            if number in state.recording.owners:
                found = Found(0.0, FLOOR, SAME)
                item = Item(number, found, number, number, None, True, frozenset({number}))
            else:
                if twins is None:
                    twins = _twins(state, node, read, items, len(results))
                numbers = [None if i is None else i.number for i in items]
                alike = _made_alike(state.recording, node, numbers)
                item = _compared(state, number, twins[place], frontier, alike)
            if item.found is not None and item.base is not None:
                state.match(item.base, item.found, value)
            made.append(item)
    if pair is not None and not all(item.resolved for item in made):
        pair(state, node, items, made)
    for value, item in zip(outputs, made, strict=True):
        state.items[value] = item


def _results(state: Walk, node: ir.Node, numbers: list[int | None]) -> tuple[int, ...] | None:
    """Return the numbers of a node's results; ``None`` if it cannot be run."""
    kinds = {state.wide.dtypes.get(v) for v in node.outputs} & state.rounded
    key = key_of(node, state.wide, numbers, tuple(sorted(str(kind) for kind in kinds)) or None)
    if key not in state.table.results:
        values = [None if n is None else state.table.values[n] for n in numbers]
        try:
            results = compute(node, state.wide, values, state.rounded)
        except NodeFailed as error:
            state.failed[node] = str(error)
            return None
        state.table.results[key] = tuple(map(state.table.add, results))
    return state.table.results[key]


def _made_alike(recording: Recording, node: ir.Node, numbers: list[int | None]) -> frozenset[int]:
    """Return the reference's values that the same operator makes of the same values.

    Several values of the reference may be one by content, e.g. what is scaled while it is 0.
    """
    read = sorted(str(number) for number in numbers)
    return frozenset(
        recording.numbers[output]
        for twin in recording.by_operator.get(node.op_type, ())
        if sorted(str(recording.numbers.get(v) if v else None) for v in read_values(twin)) == read
        for output in twin.outputs
        if output in recording.numbers
    )


def _compared(
    state: Walk, number: int, twin: Any, frontier: frozenset[int], alike: frozenset[int]
) -> Item:
    """Look for a result among the reference's values, first among those that are made alike."""
    value = state.table.values[number]
    row = flat(value)
    noise = 0.0
    if twin is not None and row is not None:
        other = flat(twin)
        if other is not None and other.numel() == row.numel():
            noise = error_of(row, other)
            # What was moved out of an operator's domain tells nothing.
            noise = noise if math.isfinite(noise) else 0.0
    limit = min(FLOOR + SAFETY * noise, LOOSEST)
    found, base = _search(state, value, row, limit, alike)
    if found is None or base is None:
        return Item(number, raw=number, twin=twin, frontier=frontier, noise=noise)
    if found.layout == SCRAMBLED:
        return Item(number, found, base, number, twin, False, frontier | {base}, noise)
    reference, dtype = state.recording.table.values[base], getattr(value, "dtype", None)
    if found.layout == SAME and getattr(reference, "dtype", None) == dtype:
        stands = base
    else:
        laid = laid_out(reference, found.layout)
        laid = laid.to(dtype) if isinstance(laid, torch.Tensor) else laid
        stands = state.table.named(("layout", base, found.layout, dtype), laid)
    return Item(stands, found, base, number, None, True, frozenset({base}), noise)


def _search(
    state: Walk, value: Any, row: torch.Tensor | None, limit: float,
    alike: frozenset[int] = frozenset(),
) -> tuple[Found | None, int | None]:  # fmt: skip
    """Find the reference's value that is the same, best in the same layout."""
    if row is None:
        return None, None
    recording = state.recording
    total, norm = fingerprint(row)
    slack = limit * 8 * max(row.numel(), 1) ** 0.5
    best: tuple[Found | None, int | None] = (None, None)
    near = [
        number for size, length, number in recording.index.get(row.numel(), ())
        if abs(length - norm) <= slack * max(norm, length)
        and abs(size - total) <= slack * max(size, total)
    ]  # fmt: skip
    near.sort(key=lambda n: (n not in alike, _unlike(recording.table.values[n], value)))
    for number in near[:16]:
        found = compare(recording.table.values[number], value, limit)
        if found is not None and (best[0] is None or _rank(found) < _rank(best[0])):
            best = (found, number)
            if found.layout == SAME:
                break
    return best


def _unlike(reference: Any, value: Any) -> int:
    """Count in what two values differ at first sight."""
    kinds = ("shape", "dtype")
    return sum(getattr(reference, kind, None) != getattr(value, kind, None) for kind in kinds)


def _twins(
    state: Walk, node: ir.Node, read: list[ir.Value | None], items: Sequence[Item | None],
    count: int,
) -> list[Any]:  # fmt: skip
    """Return a node's results with everything that it reads moved by its noise."""
    steps = node.op_type in STEPS
    values: list[Any] = []
    changed = False
    for value, item in zip(read, items, strict=True):
        if value is None or item is None or item.number is None:
            values.append(None)
            continue
        exact = state.table.values[item.number]
        if item.twin is not None:
            values.append(item.twin)
        elif steps or not isinstance(exact, torch.Tensor) or not exact.is_floating_point():
            values.append(exact)
            continue
        elif constant_tensor(value) is not None:
            if _is_known(state, item.number):
                values.append(exact)
                continue
            values.append(_moved(state, item.number, state.unit, True))
        else:
            values.append(_moved(state, item.number, JITTER, False))
        changed = True
    try:
        with moved_attributes(node, state.recording.wide.nodes) as moved:
            if not changed and not moved:
                return [None] * count
            return list(compute(node, state.wide, values, state.rounded))
    except NodeFailed:  # moved values may be out of a domain; then no noise is known
        return [None] * count


def _is_known(state: Walk, number: int) -> bool:
    """Tell whether the reference has a constant bit by bit, in whatever layout."""
    if number < state.recording.table.next:
        return True
    if number not in state.known:
        value = state.table.values[number]
        row = flat(value)
        found, _ = _search(state, value, row, 0.0)
        state.known[number] = found is not None
    return state.known[number]


def _moved(state: Walk, number: int, size: float, constant: bool) -> Any:
    """Return a value, its elements moved up or down by a relative ``size``."""
    if (number, size) not in state.moved:
        value = state.table.values[number]
        generator = torch.Generator().manual_seed(number)
        sign = torch.randint(0, 2, value.shape, generator=generator).double() * 2 - 1
        scale = value.abs()
        if constant and value.numel():  # folding cancels: what is left may be small
            finite = torch.where(torch.isfinite(scale), scale, 0.0)
            scale = scale + finite.square().mean().sqrt()
            # A number of few bits, the 3 of a power or the 0.5 of a GELU, was never rounded.
            scale = torch.where(value.half().double() == value, 0.0, scale)
        moved = value + sign * size * scale
        state.moved[number, size] = torch.where(torch.isfinite(moved), moved, value)
    return state.moved[number, size]
