"""Where values stand in sorted numbers: how many of those lie before them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def place(values: Tensor, borders: Tensor, right: bool, int32: bool) -> Tensor:
    """Count, for each value, the borders below it; those equal to it too if ``right``."""
    values, borders = values.unsqueeze(-1), borders.unsqueeze(-2)
    behind = borders > values if right else borders >= values
    return torch.logical_not(behind).sum(-1, dtype=torch.int32 if int32 else torch.int64)


def bucketize(
    values: Tensor, borders: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    return place(values.reshape(-1), borders, right, out_int32).reshape(values.shape)


def bucketize_number(
    value: Any, borders: Tensor, *, out_int32: bool = False, right: bool = False
) -> Tensor:
    return bucketize(torch.scalar_tensor(value), borders, out_int32=out_int32, right=right)


def searchsorted(
    borders: Tensor, values: Tensor, *, out_int32: bool = False, right: bool = False,
    side: str | None = None, sorter: Tensor | None = None,
) -> Tensor:  # fmt: skip
    if sorter is not None:
        borders = borders.gather(-1, sorter)
    right = right or side == "right"
    if borders.dim() == 1:
        return bucketize(values, borders, out_int32=out_int32, right=right)
    return place(values, borders, right, out_int32)


def searchsorted_number(borders: Tensor, value: Any, **options: Any) -> Tensor:
    return searchsorted(borders, torch.scalar_tensor(value), **options)


DECOMPOSITIONS = {
    aten.bucketize.Tensor: bucketize,
    aten.bucketize.Scalar: bucketize_number,
    aten.searchsorted.Tensor: searchsorted,
    aten.searchsorted.Scalar: searchsorted_number,
}
