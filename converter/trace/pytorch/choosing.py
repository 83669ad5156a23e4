"""What chooses elements: which are not zero, and runs of equal ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

aten = torch.ops.aten

INT64 = 7


def operators() -> Any:
    """Return onnxscript's operators, which have types of their own."""
    from onnxscript import opset18

    return opset18


def nonzero(x: Any) -> Any:
    """Return ``[count, rank]``; a tensor without dimensions has rank 0, in ONNX 1."""
    op = operators()
    if len(x.shape):
        return op.Transpose(op.NonZero(x), perm=[1, 0])
    count = op.Shape(op.NonZero(x), start=1, end=2)
    sizes = op.Concat(count, op.Constant(value_ints=[0]), axis=0)
    return op.Expand(op.Constant(value_ints=[0]), sizes)


def masked_select(x: Any, mask: Any) -> Any:
    """Return the elements where ``mask`` is true, flat; both are broadcast."""
    op = operators()
    x, mask = op.Expand(x, op.Shape(mask)), op.Expand(mask, op.Shape(x))
    flat = op.Constant(value_ints=[-1])
    return op.Compress(op.Reshape(x, flat), op.Reshape(mask, flat), axis=0)


def unique_consecutive(
    x: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """Return each run's element, the run of each element, and each run's length.

    Results that are not asked for are empty.
    """
    op = operators()
    minus_one = op.Constant(value_ints=[-1])
    zero, one = op.Constant(value_ints=[0]), op.Constant(value_ints=[1])
    flat = op.Reshape(x, minus_one)
    if x.dtype == 9:  # ONNX compares no booleans in every runtime
        flat = op.Cast(flat, to=INT64)
    size = op.Shape(flat)
    same = op.Equal(op.Slice(flat, one, size, zero), op.Slice(flat, zero, minus_one, zero))
    # the first element begins a run, if there is one
    first = op.Expand(op.Constant(value_ints=[1]), op.Min(size, one))
    begins = op.Concat(first, op.Cast(op.Not(same), to=INT64), axis=0)
    starts = op.Reshape(op.NonZero(begins), minus_one)
    runs = op.Gather(op.Reshape(x, minus_one), starts)
    nothing = op.ConstantOfShape(zero, value=_zero())
    inverse = counts = nothing
    if return_inverse:
        inverse = op.Reshape(op.Sub(op.CumSum(begins, op.Constant(value_int=0)), one), op.Shape(x))
    if return_counts:
        ends = op.Concat(op.Slice(starts, one, op.Shape(starts), zero), size, axis=0)
        counts = op.Sub(op.Slice(ends, zero, op.Shape(starts), zero), starts)
    return runs, inverse, counts


def _zero() -> Any:
    import onnx_ir as ir

    return ir.tensor([0], dtype=ir.DataType.INT64)


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    aten.nonzero.default: nonzero,
    aten.masked_select.default: masked_select,
    aten.unique_consecutive.default: unique_consecutive,
}
