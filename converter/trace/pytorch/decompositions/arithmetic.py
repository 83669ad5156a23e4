"""Arithmetic on integers, and at the points where a quotient has no value."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from converter.trace.pytorch.decompositions.special import signbit

aten = torch.ops.aten


def whole(x: Tensor, *_: Any, **__: Any) -> Any:
    """Rounding leaves integers as they are; ONNX's operators take floats only."""
    return NotImplemented if x.dtype.is_floating_point else x.clone()


def angle(x: Tensor) -> Any:
    if x.dtype.is_complex:
        return NotImplemented
    result = x if x.dtype.is_floating_point else x.to(torch.get_default_dtype())
    return torch.where(result < 0, math.pi, torch.where(result.isnan(), result, 0.0))


def atan2(y: Tensor, x: Tensor) -> Tensor:
    """Return the angle of each point; a zero's sign and infinities count as in C."""
    dtype = torch.result_type(y, x)
    dtype = dtype if dtype.is_floating_point else torch.get_default_dtype()
    y, x = y.to(dtype), x.to(dtype)
    side = torch.where(signbit(y), -1.0, 1.0).to(dtype)
    far = y.isinf() & x.isinf()
    height, width = torch.where(far, side, y), torch.where(far, x.sign(), x)
    slope = torch.atan(height / width)
    straight = torch.where(signbit(x), side * math.pi, side * 0.0)
    upright = torch.where(y == 0, straight, torch.where(y.isnan(), y, side * (math.pi / 2)))
    left = torch.where(y == 0, side * math.pi, slope + side * math.pi)
    return torch.where(x == 0, upright, torch.where(x < 0, left, slope))


DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    aten.ceil.default: whole,
    aten.floor.default: whole,
    aten.trunc.default: whole,
    aten.round.default: whole,
    aten.angle.default: angle,
    aten.atan2.default: atan2,
}
