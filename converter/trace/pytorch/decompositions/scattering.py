"""Writing into parts of a tensor."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def diagonal_scatter(
    x: Tensor, source: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """Put ``source`` on a diagonal of the matrices that two axes of ``x`` make."""
    last = x.movedim((dim1, dim2), (-2, -1))
    rows, columns = last.shape[-2:]
    place = torch.arange(source.shape[-1])
    place = (place + max(0, -offset)) * columns + place + max(0, offset)
    flat = last.reshape(*last.shape[:-2], rows * columns)
    written = flat.scatter(-1, place.expand(source.shape), source)
    return written.reshape(last.shape).movedim((-2, -1), (dim1, dim2))


def copy(x: Tensor, source: Tensor, non_blocking: bool = False) -> Any:
    """Return ``source`` in the shape and dtype of ``x``; `torch.onnx` forgets the shape."""
    if x.shape == source.shape:
        return NotImplemented
    return source.to(x.dtype).expand(x.shape)


def scatter_mean(x: Tensor, dim: int, index: Tensor, source: Tensor, include_self: bool) -> Tensor:
    """Write the mean of all that is put at one place; integers are rounded down."""
    start = torch.ones_like(x) if include_self else torch.zeros_like(x)
    count = start.scatter_add(dim, index, torch.ones_like(source))
    total = x if include_self else torch.zeros_like(x)
    total = total.scatter_add(dim, index, source)
    rounding = None if x.dtype.is_floating_point else "floor"
    mean = torch.div(total, count.clamp(min=1), rounding_mode=rounding)
    return mean if include_self else torch.where(count == 0, x, mean)


def scatter_reduce(
    x: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Any:
    """Write means, which ONNX has not got, and starts that do not count.

    `torch.onnx` starts from the largest finite number where infinity is meant.
    """
    if not x.dim():
        one = scatter_reduce(
            x.reshape(1), 0, index.reshape(1), src.reshape(1), reduce, include_self=include_self
        )
        return one if one is NotImplemented else one.reshape(())
    if reduce == "mean":
        return scatter_mean(x, dim, index, src, include_self)
    if include_self:
        return NotImplemented
    start = torch.full_like(src, neutral(reduce, x.dtype))
    started = x.scatter(dim, index, start)
    return aten.scatter_reduce.two(started, dim, index, src, reduce, include_self=True)


def neutral(reduce: str, dtype: torch.dtype) -> float:
    """Return the number that changes no other."""
    if reduce in ("sum", "prod"):
        return 1 if reduce == "prod" else 0
    if dtype.is_floating_point:
        return -math.inf if reduce == "amax" else math.inf
    return torch.iinfo(dtype).min if reduce == "amax" else torch.iinfo(dtype).max


DECOMPOSITIONS: dict[Any, Any] = {
    aten.copy.default: copy,
    aten.diagonal_scatter.default: diagonal_scatter,
    aten.scatter_reduce.two: scatter_reduce,
}
