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


def hypot(x: Tensor, y: Tensor) -> Tensor:
    """Return the length of each vector; squares that overflow are avoided."""
    dtype = torch.result_type(x, y)
    x, y = x.to(dtype).abs(), y.to(dtype).abs()
    larger, smaller = torch.maximum(x, y), torch.minimum(x, y)
    ratio = torch.where(larger == 0, 0.0, smaller / larger)
    length = larger * torch.sqrt(1 + ratio * ratio)
    return torch.where(x.isinf() | y.isinf(), math.inf, length)


def without_nan(choose: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Any]:
    """Return the larger or smaller one; of a number and NaN the number."""

    def decomposition(x: Tensor, y: Tensor) -> Tensor:
        dtype = torch.result_type(x, y)
        x, y = x.to(dtype), y.to(dtype)
        if not dtype.is_floating_point:
            return choose(x, y)
        return torch.where(x.isnan(), y, torch.where(y.isnan(), x, choose(x, y)))

    return decomposition


def add(x: Tensor, y: Any, *, alpha: Any = 1) -> Any:
    """Add booleans: true if one of them is."""
    if x.dtype != torch.bool or getattr(y, "dtype", type(y)) not in (torch.bool, bool):
        return NotImplemented
    y = y if isinstance(y, Tensor) else torch.scalar_tensor(y, dtype=torch.bool)
    return torch.logical_or(x, y if alpha else torch.zeros_like(y))


def mul(x: Tensor, y: Any) -> Any:
    """Multiply booleans: true if both are."""
    if x.dtype != torch.bool or getattr(y, "dtype", type(y)) not in (torch.bool, bool):
        return NotImplemented
    y = y if isinstance(y, Tensor) else torch.scalar_tensor(y, dtype=torch.bool)
    return torch.logical_and(x, y)


def power(x: Tensor, exponent: Any) -> Any:
    """Raise booleans as the numbers 0 and 1; the exponent's kind is the result's."""
    if x.dtype != torch.bool:
        return NotImplemented
    return aten.pow.Tensor_Scalar(x.to(torch.result_type(x, exponent)), exponent)


def cross(x: Tensor, y: Tensor, dim: int | None = None) -> Tensor:
    """Return the cross product along the first axis of three, if no other is said."""
    if dim is None:
        shape = torch.broadcast_shapes(x.shape, y.shape)
        dim = next(axis for axis, size in enumerate(shape) if size == 3) - len(shape)
    return aten.linalg_cross.default(x, y, dim=dim)


def by_tensor(shift: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Any]:
    """Return a shift by a number, or by a tensor of one, as the shift by a tensor."""

    def decomposition(x: Tensor, count: Any) -> Tensor:
        if not isinstance(count, Tensor):
            count = torch.full((), count, dtype=x.dtype)
        return shift(x, count)

    return decomposition


def in_wider(shift: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Any]:
    """Return a shift of uint8 in 32 bits: `torch.onnx` would give it back as int8."""

    def decomposition(x: Tensor, count: Tensor) -> Any:
        if x.dtype != torch.uint8:
            return NotImplemented
        wide = shift(x.to(torch.int32), count.to(torch.int32))
        return torch.bitwise_and(wide, torch.full((), 255, dtype=torch.int32)).to(torch.uint8)

    return decomposition


_RIGHT, _LEFT = aten.bitwise_right_shift.Tensor, aten.bitwise_left_shift.Tensor

DECOMPOSITIONS: dict[Any, Callable[..., Any]] = {
    aten.__rshift__.Scalar: by_tensor(_RIGHT),
    aten.__rshift__.Tensor: by_tensor(_RIGHT),
    aten.bitwise_right_shift.Tensor_Scalar: by_tensor(_RIGHT),
    aten.bitwise_right_shift.Tensor: in_wider(_RIGHT),
    aten.__lshift__.Scalar: by_tensor(_LEFT),
    aten.__lshift__.Tensor: by_tensor(_LEFT),
    aten.bitwise_left_shift.Tensor_Scalar: by_tensor(_LEFT),
    aten.bitwise_left_shift.Tensor: in_wider(_LEFT),
    aten.ceil.default: whole,
    aten.floor.default: whole,
    aten.trunc.default: whole,
    aten.round.default: whole,
    aten.angle.default: angle,
    aten.atan2.default: atan2,
    aten.hypot.default: hypot,
    aten.fmax.default: without_nan(torch.maximum),
    aten.fmin.default: without_nan(torch.minimum),
    aten.add.Tensor: add,
    aten.mul.Tensor: mul,
    aten.cross.default: cross,
    aten.pow.Tensor_Scalar: power,
}
