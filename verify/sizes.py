"""Sizes for dynamic dimensions: every one is swept, inside the range that it declares.

A combination that the signature's conditions do not allow (``h % 8 == 0``) moves to the nearest
one that they do; dimensions that are expressions (``past+1``) follow from their words.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from converter.errors import InputSpecError
from converter.expressions import size_of
from converter.signature import DimRange, Signature
from converter.sizes import fits, nearest

LEVELS = 4
"""Each dynamic dimension is tried at this many sizes: 1, 2, a small odd one, a larger one."""

MOST = 12
"""Most combinations of sizes, however many dynamic dimensions there are."""

MOST_ELEMENTS = 1 << 16
"""Inputs that hold more elements than this are not made just to try a larger size."""


def sweep(
    signature: Signature, chosen: Mapping[str, list[int]] | None = None
) -> list[dict[str, int]]:
    """Return the combinations of sizes to run, at most `MOST`, none twice.

    First those in which the dimensions stand at different levels, so that two of them which a
    conversion has swapped or frozen show; in these each dimension takes every one of its sizes.
    Then the corners: all at their largest, all at their smallest, one at its smallest and the
    others at their largest, and one at the largest size that was declared for it, the others at
    their smallest, where that is not too large to run.

    Args:
        chosen: sizes to use for a dimension instead of the usual ones.
    """
    names = signature.dynamic_dims()
    chosen = chosen or {}
    if unknown := sorted(set(chosen) - set(names)):
        raise InputSpecError(
            f"the model has no dynamic dimension called {unknown[0]!r}",
            hint=f"It has: {', '.join(names) or 'none'}.",
        )
    candidates = {
        name: list(chosen.get(name) or _levels(signature.dims.get(name, DimRange()), index))
        for index, name in enumerate(names)
    }
    high = {name: max(sizes) for name, sizes in candidates.items()}
    if elements(signature, high) > MOST_ELEMENTS:
        for name in set(names) - set(chosen):  # large inputs: the three smaller sizes are enough
            candidates[name] = sorted(candidates[name])[: LEVELS - 1]
    count = max((len(sizes) for sizes in candidates.values()), default=1)
    result = [
        {
            name: sizes[(run + index) % len(sizes)]
            for index, (name, sizes) in enumerate(candidates.items())
        }
        for run in range(count)
    ]
    result = _allowed(signature, result, chosen)
    for corner in _allowed(signature, list(_corners(signature, candidates, chosen)), chosen):
        if corner not in result and len(result) < max(MOST, count):
            result.append(corner)
    return result


def _allowed(
    signature: Signature, wanted: list[dict[str, int]], chosen: Mapping[str, list[int]]
) -> list[dict[str, int]]:
    """Move combinations to what the signature's conditions allow; none twice.

    Raises:
        InputSpecError: no combination is allowed.
    """
    result: list[dict[str, int]] = []
    for sizes in wanted:
        near: dict[str, int] | None = sizes
        if not fits(signature, sizes):
            near = nearest(signature, sizes)
            moved = near is not None and any(near[name] != sizes[name] for name in chosen)
            near = None if moved else near
        if near is not None and near not in result:
            result.append(near)
    if wanted and not result:
        raise InputSpecError(
            "no sizes were found that the model takes",
            hint=f"It takes: {', '.join(signature.conditions)}. Choose sizes to match.",
        )
    return result


def _corners(
    signature: Signature, candidates: Mapping[str, list[int]], chosen: Mapping[str, list[int]]
) -> Iterator[dict[str, int]]:
    low = {name: min(sizes) for name, sizes in candidates.items()}
    high = {name: max(sizes) for name, sizes in candidates.items()}
    yield high
    yield low
    for name in candidates:
        most = signature.dims.get(name, DimRange()).maximum
        if most is not None and name not in chosen:
            corner = {**low, name: most}
            if elements(signature, corner) <= MOST_ELEMENTS:
                yield corner
    for name in candidates:
        yield {**high, name: low[name]}


def elements(signature: Signature, sizes: Mapping[str, int]) -> int:
    """Return how many elements all inputs have together."""
    shapes = (spec.shape or () for spec in signature.inputs)
    return sum(math.prod(size_of(dim, sizes) for dim in shape) for shape in shapes)


def without_rows(
    signature: Signature, combination: Mapping[str, int], chosen: Mapping[str, list[int]]
) -> dict[str, int] | None:
    """Return a combination with nothing in the batch, ``None`` if that is not to be tried.

    The batch is the first dimension of an input. It is tried where its range begins with 0, and
    where nobody declared a range or sizes for it.
    """
    for spec in signature.inputs:
        first = spec.shape[0] if spec.shape else 0
        if not isinstance(first, str):
            continue
        if first not in combination or first in chosen:
            return None
        free = first not in signature.dims or signature.dims[first].minimum == 0
        empty = {**combination, first: 0}
        return empty if free and fits(signature, empty) else None
    return None


def _levels(allowed: DimRange, index: int) -> list[int]:
    """Return sizes inside a range; dimensions get different ones where the range lets them."""
    low, high = max(1, allowed.minimum), allowed.maximum
    wanted = [low, low + 1, low + 2 + 2 * index, max(9, 2 * low) + 3 * index]
    if low % 2 == 0:
        wanted[2] += 1
    sizes = sorted({size if high is None else min(size, high) for size in wanted})
    if high is not None and len(sizes) < LEVELS:  # a narrow range
        sizes = sorted({low, low + (high > low), (low + high) // 2, max(low, high)})
    return sizes
