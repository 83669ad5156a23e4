"""What joins tensors, written with `cat`; and questions that integers have one answer to."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def hstack(tensors: list[Tensor]) -> Tensor:
    """Join along the second axis; vectors along their only one."""
    flat = [tensor.reshape(1) if tensor.dim() == 0 else tensor for tensor in tensors]
    return torch.cat(flat, 0 if flat[0].dim() == 1 else 1)


def vstack(tensors: list[Tensor]) -> Tensor:
    return torch.cat([torch.atleast_2d(tensor) for tensor in tensors], 0)


def dstack(tensors: list[Tensor]) -> Tensor:
    return torch.cat([torch.atleast_3d(tensor) for tensor in tensors], 2)


def column_stack(tensors: list[Tensor]) -> Tensor:
    """Join along the second axis; what has none becomes a column."""
    columns = [t.reshape(t.numel(), 1) if t.dim() <= 1 else t for t in tensors]
    return torch.cat(columns, 1)


def stack(tensors: list[Tensor], dim: int = 0) -> Any:
    """Join along a new axis; of several dtypes the widest is taken, which `torch.onnx` forgets."""
    if len({tensor.dtype for tensor in tensors}) == 1:
        return NotImplemented
    return torch.cat([tensor.unsqueeze(dim) for tensor in tensors], dim)


def repeat_interleave(
    x: Tensor, repeats: int, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Repeat each element; of nothing too, whose shape `torch.onnx` gets wrong."""
    if dim is None:
        x, dim = x.reshape(-1), 0
    dim = dim % x.dim()
    shape = (*x.shape[:dim], x.shape[dim] * repeats, *x.shape[dim + 1 :])
    each = (*x.shape[: dim + 1], repeats, *x.shape[dim + 1 :])
    return x.unsqueeze(dim + 1).expand(each).reshape(shape)


def any_of(x: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
    """Tell whether an element is not 0; of nothing none is, which `torch.onnx` gets wrong."""
    hits = (x != 0).to(torch.int64)
    axes = list(range(x.dim())) if dim is None or dim == [] else dim
    found = hits.sum(axes, keepdim=keepdim) > 0
    return found.to(torch.uint8) if x.dtype == torch.uint8 else found


def where_of_booleans(condition: Tensor, x: Tensor, y: Tensor) -> Any:
    """Choose among booleans by logic: ONNX Runtime has no `Where` for them."""
    if x.dtype != torch.bool or y.dtype != torch.bool:
        return NotImplemented
    return (condition & x) | (~condition & y)


def of_floats(answer: bool) -> Any:
    """Return the decomposition of a question about NaN or infinities."""

    def decomposition(x: Tensor) -> Any:
        if x.dtype.is_floating_point or x.dtype.is_complex:
            return NotImplemented
        return torch.full_like(x, answer, dtype=torch.bool)

    return decomposition


DECOMPOSITIONS = {
    aten.stack.default: stack,
    aten.repeat_interleave.self_int: repeat_interleave,
    aten.any.default: any_of,
    aten.any.dim: any_of,
    aten.any.dims: any_of,
    aten.where.self: where_of_booleans,
    aten.hstack.default: hstack,
    aten.vstack.default: vstack,
    aten.row_stack.default: vstack,
    aten.dstack.default: dstack,
    aten.column_stack.default: column_stack,
    aten.isnan.default: of_floats(False),
    aten.isinf.default: of_floats(False),
    aten.isfinite.default: of_floats(True),
}
