"""Sorting, running extremes and products."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def stable_sort(
    x: Tensor, *, stable: bool | None, dim: int = -1, descending: bool = False
) -> tuple[Tensor, Tensor]:
    """Sort; of equal elements ONNX's ``TopK`` gives the first one first."""
    return torch.sort(x, dim=dim, descending=descending)


def sort(x: Tensor, dim: int = -1, descending: bool = False) -> Any:
    """Sort booleans as numbers; ONNX's ``TopK`` takes no booleans."""
    if x.dtype != torch.bool:
        return NotImplemented
    values, indices = torch.sort(x.to(torch.int32), dim=dim, descending=descending)
    return values.to(torch.bool), indices


DECOMPOSITIONS = {aten.sort.stable: stable_sort, aten.sort.default: sort}
