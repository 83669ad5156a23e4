"""Outputs declared to be sets of rows: detections, or the best k where equal ones may swap.

Before the comparison b's rows are put into a's order; then they are compared as ever, so a row that
has no counterpart, one that came twice, and a score that sits on another box all show. Outputs that
belong together (``boxes+scores+labels``) are permuted together. Nothing is reordered that was not
declared.

Rows are paired so that the sum of their distances is smallest. Where all are each other's nearest
that is it; else it is found by shortest augmenting paths (Jonker and Volgenant, "A shortest
augmenting path algorithm for dense and sparse linear assignment problems", Computing 38, 1987).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from converter.errors import UsageError

if TYPE_CHECKING:
    from verify.executions import Executions

Arrays = Mapping[str, np.ndarray]

MOST_ROWS = 2000
"""Most rows that are paired at once, the effort grows with their cube. Of more, those that are each
other's nearest are paired first, and so many may be left."""

BLOCK = 1 << 22
"""Elements of a block of distances between all rows of two sets."""


@dataclass(frozen=True)
class Group:
    """Outputs whose rows are permuted together.

    Attributes:
        names: of the outputs.
        axis: along which the rows lie; each place on the axes before it has a set of its own.
    """

    names: tuple[str, ...]
    axis: int = 0

    def __str__(self) -> str:
        return f"{'+'.join(self.names)}:{self.axis}"


def groups(texts: Sequence[str]) -> tuple[Group, ...]:
    """Read ``boxes+scores+labels`` or, with an axis, ``boxes+scores:1``.

    Raises:
        UsageError: a text is not of that form, or an output is in two groups.
    """
    found: list[Group] = []
    for text in [texts] if isinstance(texts, str) else texts:
        joined, colon, axis = text.partition(":")
        names = tuple(name.strip() for name in joined.split("+"))
        if not all(names) or (colon and not axis.strip().isdigit()):
            raise UsageError(
                f"cannot read the unordered outputs {text!r}",
                hint="Write NAME+NAME, and :1 behind it where the rows lie along axis 1.",
            )
        found.append(Group(names, int(axis) if colon else 0))
    every = [name for group in found for name in group.names]
    if twice := sorted({name for name in every if every.count(name) > 1}):
        raise UsageError(f"the output {twice[0]!r} is declared unordered twice")
    return tuple(found)


def check(wanted: Sequence[Group], a: Arrays) -> None:
    """Refuse groups that the outputs of a do not have.

    Raises:
        UsageError: there is no such output or axis, or they have other numbers of rows.
    """
    for group in wanted:
        for name in group.names:
            if name not in a:
                raise UsageError(
                    f"there is no output {name!r} to be unordered",
                    hint=f"The outputs are: {', '.join(a) or 'none'}.",
                )
            if a[name].ndim <= group.axis:
                raise UsageError(f"the output {name!r} has no axis {group.axis} of rows")
        if len({a[name].shape[: group.axis + 1] for name in group.names}) > 1:
            sizes = ", ".join(f"{name} {list(a[name].shape)}" for name in group.names)
            raise UsageError(f"the unordered outputs have other numbers of rows: {sizes}")


def aligned(a: Arrays, b: Arrays, wanted: Sequence[Group]) -> dict[str, np.ndarray]:
    """Return b's outputs with the rows of each group in a's order.

    A group of which b lacks an output, or has it in another shape, stays as it is: that shows in
    the comparison by itself.

    Raises:
        UsageError: a set has more rows without a nearest counterpart than can be paired.
    """
    result = dict(b)
    for group in wanted:
        if any(name not in b or b[name].shape != a[name].shape for name in group.names):
            continue
        lead = a[group.names[0]].shape[: group.axis]
        mine = [_rows(a[name], group.axis) for name in group.names]
        theirs = [_rows(b[name], group.axis) for name in group.names]
        moved = [part.copy() for part in theirs]
        scales = [_scale(part) for part in mine]
        for place in range(int(np.prod(lead, dtype=int))):
            order = pair([p[place] for p in mine], [p[place] for p in theirs], scales)
            for part, old in zip(moved, theirs, strict=True):
                part[place] = old[place][order]
        for name, part in zip(group.names, moved, strict=True):
            result[name] = part.reshape(b[name].shape)
    return result


def _rows(array: np.ndarray, axis: int) -> np.ndarray:
    """Return an array as [set, row, element of the row]."""
    lead, rest = array.shape[:axis], array.shape[axis + 1 :]
    sets, width = int(np.prod(lead, dtype=int)), int(np.prod(rest, dtype=int))
    return array.reshape(sets, array.shape[axis], width)


def _scale(part: np.ndarray) -> float:
    """Return what a difference is measured by: the largest value; for what must be equal, nothing.

    The outputs of a group count alike, whatever their units.
    """
    if part.dtype.kind not in "fcV":
        return 0.0
    size = np.abs(_wide(part))
    largest = float(size.max(initial=0.0, where=np.isfinite(size)))
    return largest or 1.0


def pair(a: Sequence[np.ndarray], b: Sequence[np.ndarray], scales: Sequence[float]) -> np.ndarray:
    """Return, for each row of a, which row of b belongs to it.

    Args:
        a, b: the parts of the rows, each [row, element], one per output.
        scales: of each part; 0: its elements are equal or not.

    Raises:
        UsageError: too many rows have no nearest counterpart.
    """
    count = len(a[0])
    if count == 0 or all(_equal(x, y) for x, y in zip(a, b, strict=True)):
        return np.arange(count)
    nearest_b, nearest_a = _nearest(a, b, scales), _nearest(b, a, scales)
    order = np.where(nearest_a[nearest_b] == np.arange(count), nearest_b, -1)
    if (order >= 0).all():
        return order
    if count <= MOST_ROWS:  # a nearest one may be needed elsewhere
        return assignment(distances(a, b, scales))
    left_a = np.flatnonzero(order < 0)
    left_b = np.setdiff1d(np.arange(count), order)
    if len(left_a) > MOST_ROWS:
        raise UsageError(
            f"{len(left_a)} of {count} unordered rows have no nearest counterpart, "
            f"{MOST_ROWS} can be paired",
            hint="Compare fewer rows, or outputs that have an order.",
        )
    cost = distances([x[left_a] for x in a], [y[left_b] for y in b], scales)
    order[left_a] = left_b[assignment(cost)]
    return order


def _equal(x: np.ndarray, y: np.ndarray) -> bool:
    return np.array_equal(x, y, equal_nan=x.dtype.kind in "fc")


def _nearest(
    a: Sequence[np.ndarray], b: Sequence[np.ndarray], scales: Sequence[float]
) -> np.ndarray:
    count = len(a[0])
    widest = max(part.shape[1] for part in b)
    step = max(1, BLOCK // max(1, len(b[0]) * widest))
    found = [
        distances([part[start : start + step] for part in a], b, scales).argmin(axis=1)
        for start in range(0, count, step)
    ]
    return np.concatenate(found)


def distances(
    a: Sequence[np.ndarray], b: Sequence[np.ndarray], scales: Sequence[float]
) -> np.ndarray:
    """Return the distance of every row of a from every row of b, [rows of a, rows of b].

    That is, summed over the parts, the largest difference of two elements by the part's scale; an
    element that must be equal and is not counts 1, as does one that is not finite on one side.
    """
    total = np.zeros((len(a[0]), len(b[0])))
    for x, y, scale in zip(a, b, scales, strict=True):
        if not x.shape[1]:
            continue
        one, other = x[:, None, :], y[None, :, :]
        if scale == 0.0:
            total += (one != other).mean(axis=2)
            continue
        one, other = _wide(one), _wide(other)
        with np.errstate(invalid="ignore"):
            apart = np.abs(one - other) / scale
            same = (one == other) | (np.isnan(one) & np.isnan(other))
        apart = np.where(same, 0.0, np.where(np.isfinite(apart), apart, 1.0))
        total += apart.max(axis=2)
    return total


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def assignment(cost: np.ndarray) -> np.ndarray:
    """Return the column of each row so that the sum of the costs is smallest.

    Args:
        cost: finite costs, [n, n].
    """
    count = len(cost)
    row_price, column_price = np.zeros(count + 1), np.zeros(count + 1)
    row_of = np.full(count + 1, -1)  # of each column; the last column is where a search begins
    for row in range(count):
        row_of[count] = row
        shortest = np.full(count, np.inf)
        before = np.full(count, count)
        done = np.zeros(count + 1, bool)
        column = count
        while row_of[column] != -1:
            done[column] = True
            here = row_of[column]
            open_ = ~done[:count]
            length = cost[here] - row_price[here] - column_price[:count]
            better = open_ & (length < shortest)
            shortest[better], before[better] = length[better], column
            following = int(np.argmin(np.where(open_, shortest, np.inf)))
            step = shortest[following]
            reached = np.flatnonzero(done)
            row_price[row_of[reached]] += step
            column_price[reached] -= step
            shortest[open_] -= step
            column = following
        while column != count:
            row_of[column] = row_of[before[column]]
            column = int(before[column])
    result = np.empty(count, int)
    result[row_of[:count]] = np.arange(count)
    return result


class InOrder:
    """A graph's executions with the rows of unordered outputs in the source's order.

    Attributes:
        source: the source's outputs, by their names in the report; set for each run.
    """

    def __init__(self, runs: Executions, wanted: Sequence[Group]) -> None:
        self.runs, self.wanted, self.choices = runs, wanted, runs.choices
        self.source: Arrays = {}

    def exact(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Run in float64."""
        return aligned(self.source, self.runs.exact(inputs), self.wanted)

    def own(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """Run in the graph's own precision."""
        return aligned(self.source, self.runs.own(inputs), self.wanted)

    def moved(self, inputs: Arrays, seed: int, reach: int = 1) -> dict[str, np.ndarray]:
        """Run with random rounding."""
        return aligned(self.source, self.runs.moved(inputs, seed, reach), self.wanted)
