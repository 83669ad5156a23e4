"""Whether two sets of draws come from one distribution: a permutation test of many statistics.

A draw is everything that one call returns for an output, on the same inputs each time. Its elements
may depend on each other in any way (a decoder turns one random number into a picture), but the
calls are independent. So the test exchanges whole draws: if both sides have one distribution, it
does not matter which side a draw came from (R. A. Fisher, "The Design of Experiments", 1935).

The statistics of a draw: the mean of its elements, of their squares and sizes, how many lie below
each of some quantiles (or are each of a few values), the square of its mean and the product of
neighbours (whether elements share their noise), how many are finite. Beside them stand the squared
differences of the means, and of the mean squares, element by element and by place on an axis.
Elements are measured in the deviation of all draws of both sides from their mean.

Each statistic is put in units of what
permutations make of it, and the largest decides, so that many statistics cost no false alarms
(P. H. Westfall and S. S. Young, "Resampling-Based Multiple Testing", 1993).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

PERMUTATIONS = 999

QUANTILES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)

MOST_VALUES = 16
"""Up to so many different values each is counted by itself."""

MOST_NUMBERS = 1 << 21
"""Numbers in all draws past which evenly chosen elements stand for all."""

PRECISION = {"float64": 1e-11, "float32": 2.5e-5, "float16": 8e-3, "bfloat16": 6e-2}
"""Deviation, relative to the largest value, below which an element is not random but rounded."""


@dataclass(frozen=True)
class Outcome:
    """What the test found.

    Attributes:
        p: how often exchanged draws are as far apart as the sides are.
        statistic: name of the statistic that is farthest.
    """

    p: float
    statistic: str


def thinned(draws: int, size: int) -> np.ndarray:
    """Return the indices of the elements that are looked at."""
    most = max(1, MOST_NUMBERS // max(1, draws))
    return np.arange(size) if size <= most else np.linspace(0, size - 1, most).astype(np.int64)


def compared(
    a: np.ndarray, b: np.ndarray, dtype: str, places: Mapping[int, np.ndarray] | None = None,
    seed: int = 0,
) -> Outcome:  # fmt: skip
    """Test whether two sets of draws have one distribution.

    Args:
        a, b: draws, [draw, element], float64.
        dtype: of the output, for what counts as rounding.
        places: place of each element along some axes, by axis.
        seed: of the permutations.
    """
    names, table, z, random = _statistics(np.concatenate([a, b]), dtype)
    varies = np.ptp(table, axis=0) > 0  # what is the same in every draw tells nothing
    names, table = [n for n, wanted in zip(names, varies, strict=True) if wanted], table[:, varies]
    if not names:
        return Outcome(1.0, "")
    table = (table - table.mean(axis=0)) / table.std(axis=0)
    generator = np.random.default_rng(seed)
    count, first = len(table), len(a)
    signs = np.empty((PERMUTATIONS + 1, count))
    for row in range(PERMUTATIONS + 1):  # the first is how they came
        order = np.arange(count) if row == 0 else generator.permutation(count)
        signs[row, order[:first]], signs[row, order[first:]] = 1 / first, -1 / len(b)
    found = np.abs(signs @ table)
    for where, values in _grouped(z, random, places or {}):
        for what, numbers in (("means", values[0]), ("deviations", values[1])):
            names = [*names, f"the {what} of single {where}"]
            found = np.concatenate([found, np.square(signs @ numbers).sum(1)[:, None]], axis=1)
    spread = found.std(axis=0)
    spread[spread == 0] = np.inf
    scores = (found - found.mean(axis=0)) / spread
    largest = scores.max(axis=1)
    p = np.count_nonzero(largest >= largest[0] - 1e-12) / len(largest)
    return Outcome(float(p), names[int(scores[0].argmax())])


def _grouped(
    z: np.ndarray, random: np.ndarray, places: Mapping[int, np.ndarray]
) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray]]]:
    """Yield means and mean squares of the elements, one by one and by their place on an axis.

    A shift that is the same in each row of a batch shows sooner where the rows are taken together.
    """
    squares = np.square(z)
    yield "elements", (z, squares)
    for axis, index in places.items():
        index = index[random]
        order = np.argsort(index, kind="stable")
        starts = np.flatnonzero(np.diff(index[order], prepend=-1))
        if not 1 < len(starts) < z.shape[1]:
            continue
        means = []
        for numbers in (z, squares):
            sums = np.add.reduceat(numbers[:, order], starts, axis=1)
            spread = sums.std(axis=0)
            means.append(sums / np.where(spread > 0, spread, 1.0))
        yield f"places on axis {axis}", (means[0], means[1])


def _statistics(
    draws: np.ndarray, dtype: str
) -> tuple[list[str], np.ndarray, np.ndarray, np.ndarray]:
    """Return names of the statistics, their values by draw, the standardised elements, and which.

    Elements that are not random are left out.
    """
    finite = np.isfinite(draws)
    numbers = np.where(finite, draws, 0.0)
    center, scale = numbers.mean(axis=0), numbers.std(axis=0)
    peak = float(np.abs(numbers).max(initial=0.0))
    random = scale > PRECISION.get(dtype, 0.0) * peak
    z = (numbers[:, random] - center[random]) / scale[random]
    columns: dict[str, np.ndarray] = {}
    if z.shape[1]:
        mean = z.mean(axis=1)
        columns |= {
            "the mean": mean,
            "the standard deviation": np.square(z).mean(axis=1),
            "the mean size": np.abs(z).mean(axis=1),
            "noise that the elements share": np.square(mean),
        }
        if z.shape[1] > 1:
            columns["noise that neighbours share"] = (z[:, 1:] * z[:, :-1]).mean(axis=1)
        values = np.unique(numbers[:, random][: 2 * MOST_VALUES])
        for part in QUANTILES:
            edge = np.quantile(z, part, axis=0)
            columns[f"the {part:.0%} quantile"] = (z < edge).mean(axis=1)
        if len(values) <= MOST_VALUES:
            for value in values:
                shares = (numbers[:, random] == value).mean(axis=1)
                columns[f"how often {value:g} comes"] = shares
    columns["how many elements are finite"] = finite.mean(axis=1)
    return list(columns), np.stack(list(columns.values()), axis=1), z, random


def spread_of_square(draws: np.ndarray, dtype: str) -> tuple[float, float]:
    """Return how much the mean, and the mean square, of the elements vary from draw to draw.

    In units of an element's deviation; what the number of draws that are needed follows from.
    """
    names, table, z, _ = _statistics(draws, dtype)
    if not z.shape[1]:
        return 0.0, 0.0
    return (
        float(table[:, names.index("the mean")].std()),
        float(table[:, names.index("the standard deviation")].std()),
    )


def repeats(draws: np.ndarray) -> int:
    """Return how many draws are bit by bit one that came before."""
    return len(draws) - len({row.tobytes() for row in np.ascontiguousarray(draws)})
