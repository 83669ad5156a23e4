"""Running extremes and products, medians, and the k-th smallest.

What a running result sees is a triangle: row i has the elements up to the i-th. That takes memory
for the square of the length, and holds for open lengths.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def isnan(x: Tensor) -> Tensor:
    return x.isnan() if x.dtype.is_floating_point else torch.zeros_like(x, dtype=torch.bool)


def lowest(dtype: torch.dtype) -> float:
    return -math.inf if dtype.is_floating_point else torch.iinfo(dtype).min


def highest(dtype: torch.dtype) -> float:
    return math.inf if dtype.is_floating_point else torch.iinfo(dtype).max


def rows(x: Tensor, other: float) -> tuple[Tensor, Tensor]:
    """Return ``[..., n, n]``: in row i the first i elements, then ``other``; and which are seen."""
    length = x.shape[-1]
    place = torch.arange(length)
    seen = place.unsqueeze(0) <= place.unsqueeze(1)
    return torch.where(seen, x.unsqueeze(-2), other), seen


def running(largest: bool) -> Callable[..., Any]:
    """Return the decomposition of the running extreme and its last place; NaN is the extreme."""

    def decomposition(x: Tensor, dim: int) -> Any:
        if not x.dim():
            return x.clone(), torch.zeros((), dtype=torch.int64)
        if x.dtype == torch.bool:
            values, places = decomposition(x.to(torch.int32), dim)
            return values.to(torch.bool), places
        moved = x.movedim(dim, -1)
        bound = lowest(x.dtype) if largest else highest(x.dtype)
        nan = isnan(moved)
        table, seen = rows(torch.where(nan, bound, moved), bound)
        best = table.amax(-1, True) if largest else table.amin(-1, True)
        nans = seen & nan.unsqueeze(-2)
        chosen = torch.where(nans.any(-1, True), nans, seen & (table == best))
        places = torch.where(chosen, torch.arange(moved.shape[-1]), 0).amax(-1)
        return moved.gather(-1, places).movedim(-1, dim), places.movedim(-1, dim)

    return decomposition


def cumprod(x: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Tensor:
    """Return the running product; integers become int64."""
    kept = x.dtype if x.dtype.is_floating_point else torch.int64
    x = x.to(dtype or kept)
    if not x.dim():
        return x.clone()
    return rows(x.movedim(dim, -1), 1)[0].prod(-1).movedim(-1, dim)


def logcumsumexp(x: Tensor, dim: int) -> Tensor:
    if not x.dim():
        return x.clone()
    table, _ = rows(x.movedim(dim, -1), -math.inf)
    largest = table.amax(-1, True)
    largest = torch.where(largest.isinf(), 0.0, largest)
    result = (table - largest).exp().sum(-1).log() + largest.squeeze(-1)
    return result.movedim(-1, dim)


def kth(x: Tensor, rank: Any, nan: Tensor) -> tuple[Tensor, Tensor]:
    """Return an element of the last axis by its rank, and its first place.

    Args:
        x: ``[..., n]``.
        rank: a number, or ``[..., 1]``; how many elements are smaller.
        nan: ``[..., 1]``: where NaN is the result.
    """
    clean = torch.where(isnan(x), highest(x.dtype), x)
    ordered = torch.sort(clean, dim=-1)[0]
    rank = rank if isinstance(rank, Tensor) else torch.zeros_like(nan, dtype=torch.int64) + rank
    value = ordered.gather(-1, rank)
    chosen = torch.where(nan, isnan(x), ~isnan(x) & (clean == value))
    place = chosen.to(torch.int32).argmax(-1, True)
    return x.gather(-1, place).squeeze(-1), place.squeeze(-1)


def along(x: Tensor, dim: int, keepdim: bool, ranks: Callable[[Tensor], Any]) -> Any:
    """Return the element that ``ranks`` asks for along an axis, and its place.

    Args:
        ranks: from ``[..., n]`` to the rank and where NaN is the result.
    """
    if not x.dim():
        return x.clone(), torch.zeros((), dtype=torch.int64)
    moved = x.movedim(dim, -1)
    value, place = kth(moved, *ranks(moved))
    if keepdim:
        return value.unsqueeze(dim), place.unsqueeze(dim)
    return value, place


def middle(x: Tensor) -> tuple[Any, Tensor]:
    """Of an even number, the lower one; one NaN makes NaN."""
    return (x.shape[-1] - 1) // 2, isnan(x).any(-1, True)


def middle_of_numbers(x: Tensor) -> tuple[Any, Tensor]:
    """The same without regard to NaN, unless all are NaN."""
    count = torch.logical_not(isnan(x)).sum(-1, keepdim=True)
    return ((count - 1).clamp(min=0) // 2), count == 0


def median(x: Tensor, dim: int, keepdim: bool = False) -> Any:
    return along(x, dim, keepdim, middle)


def nanmedian(x: Tensor, dim: int, keepdim: bool = False) -> Any:
    return along(x, dim, keepdim, middle_of_numbers)


def median_of_all(x: Tensor) -> Tensor:
    return of_all(x, middle)


def nanmedian_of_all(x: Tensor) -> Tensor:
    return of_all(x, middle_of_numbers)


def of_all(x: Tensor, ranks: Callable[[Tensor], Any]) -> Tensor:
    """Return the element that ``ranks`` asks for among all; NaN of nothing."""
    flat = x.reshape(-1)
    rank, nan = ranks(flat)
    if (isinstance(flat.shape[0], int) and flat.shape[0]) or not x.dtype.is_floating_point:
        return kth(flat, rank, nan)[0]
    # It may be empty: one NaN more, which comes behind all that is there.
    nothing = torch.ones_like(flat).sum(-1, keepdim=True) == 0
    more = torch.cat([flat, torch.full((1,), math.nan, dtype=x.dtype)])
    rank = rank if isinstance(rank, Tensor) else torch.zeros_like(nothing, dtype=torch.int64) + rank
    return kth(more, rank.clamp(min=0), nan | nothing)[0]


def kthvalue(x: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """Return the k-th smallest, counted from 1; NaN comes after all numbers."""

    def ranks(moved: Tensor) -> tuple[Any, Tensor]:
        return k - 1, torch.logical_not(isnan(moved)).sum(-1, keepdim=True) < k

    return along(x, dim, keepdim, ranks)


DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    aten.cummax.default: running(True),
    aten.cummin.default: running(False),
    aten.cumprod.default: cumprod,
    aten.logcumsumexp.default: logcumsumexp,
    aten.median.dim: median,
    aten.median.default: median_of_all,
    aten.nanmedian.dim: nanmedian,
    aten.nanmedian.default: nanmedian_of_all,
    aten.kthvalue.default: kthvalue,
}
