"""Sizes: what leaves one out, and what is worked out with them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch

aten = torch.ops.aten


def squeeze(x: Any, dim: int | Sequence[int]) -> Any:
    """Leave out the dimensions of size 1 among ``dim``; PyTorch leaves the others as they are.

    ONNX's `Squeeze` refuses them, and torch.onnx hands it all of them. A dimension of open size is
    not 1: torch.export says so.
    """
    from onnxscript import opset18

    op: Any = opset18
    dims = [dim] if isinstance(dim, int) else list(dim)
    single = [axis for axis in dims if x.shape and x.shape[axis] == 1]
    if not single:
        return op.Identity(x)
    return op.Squeeze(x, op.Constant(value_ints=single))


def floor_divide_sizes(a: Any, b: Any) -> Any:
    """Divide and round down, as Python does; ``-(-size // 2)`` rounds up.

    ONNX's `Div` of integers rounds towards zero, and torch.onnx writes that. Its `Mod` has the sign
    of the divisor, as Python's.
    """
    from onnxscript import opset18

    op: Any = opset18
    return op.Div(op.Sub(a, op.Mod(a, b)), b)


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    aten.squeeze.dim: squeeze,
    aten.squeeze.dims: squeeze,
    operator.floordiv: floor_divide_sizes,
}
