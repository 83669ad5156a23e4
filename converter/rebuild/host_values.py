"""Scalars and nested tuples on the host: plain numbers, or a framework's symbolic ones.

A bare scalar has rank 0, a tuple rank 1, a tuple of tuples rank 2. A symbolic scalar is a
`torch.SymInt` or a scalar `tf.Tensor`, whose arithmetic the framework registers with `symbolic`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import product
from types import ModuleType
from typing import Any

Scalar = Any
Nested = Any


class NotOnHost(Exception):
    """The operation needs a value that is only known at run time."""


class Unknown:
    """Stands for a scalar that is known only at run time, while the graph is being placed."""

    def _same(self, *_: object) -> Unknown:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = __abs__ = _same
    __truediv__ = __rtruediv__ = __lt__ = __le__ = __gt__ = __ge__ = __pow__ = __rpow__ = _same
    __eq__ = __ne__ = _same  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise NotOnHost("a decision on a size that is not known before the run")

    def __index__(self) -> int:
        raise NotOnHost("an index that is not known before the run")


# ------------------------------------------------------------------ scalars

_SYMBOLIC: list[tuple[tuple[type, ...], Any]] = []


def symbolic(*types: type) -> Callable[[ModuleType], ModuleType]:
    """Register the arithmetic of a framework's symbolic scalars.

    The module given has ``minimum, maximum, where, truncdiv, fmod, mod, cast, floor, ceil, sqrt,
    logical_and, logical_or, logical_not``.
    """

    def register(arithmetic: ModuleType) -> ModuleType:
        _SYMBOLIC.append((types, arithmetic))
        return arithmetic

    return register


def is_plain(item: Scalar) -> bool:
    """Tell whether a scalar is a Python number (and not symbolic)."""
    return isinstance(item, int | float | bool)


def _arithmetic(items: Iterable[Scalar]) -> Any:
    """Return the module for the first symbolic scalar of ``items``, ``None`` if all are plain."""
    for item in items:
        if is_plain(item):
            continue
        if isinstance(item, Unknown):
            return _UnknownArithmetic
        for types, arithmetic in _SYMBOLIC:
            if isinstance(item, types):
                return arithmetic
        raise TypeError(f"no arithmetic for {type(item).__name__} on the host")
    return None


class _UnknownArithmetic:
    def __getattr__(self, name: str) -> Callable[..., Unknown]:
        return lambda *_: Unknown()


_UnknownArithmetic = _UnknownArithmetic()  # type: ignore[assignment,misc]


def minimum(a: Scalar, b: Scalar) -> Scalar:
    """Return the smaller of two scalars."""
    arithmetic = _arithmetic((a, b))
    return arithmetic.minimum(a, b) if arithmetic else min(a, b)


def maximum(a: Scalar, b: Scalar) -> Scalar:
    """Return the larger of two scalars."""
    arithmetic = _arithmetic((a, b))
    return arithmetic.maximum(a, b) if arithmetic else max(a, b)


def select(condition: Scalar, a: Scalar, b: Scalar) -> Scalar:
    """Return ``a`` where the scalar ``condition`` holds, else ``b``."""
    if is_plain(condition):
        return a if condition else b
    return _arithmetic((condition,)).where(condition, a, b)


def divide(a: Scalar, b: Scalar) -> Scalar:
    """Divide; integers truncate towards zero, as ONNX's `Div` does."""
    arithmetic = _arithmetic((a, b))
    if arithmetic:
        return arithmetic.truncdiv(a, b)
    if isinstance(a, float) or isinstance(b, float):
        return a / b
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def modulo(a: Scalar, b: Scalar, fmod: int) -> Scalar:
    """Remainder with the divisor's sign, or the dividend's if ``fmod``."""
    arithmetic = _arithmetic((a, b))
    if arithmetic:
        return arithmetic.fmod(a, b) if fmod else arithmetic.mod(a, b)
    if b == 0 and not isinstance(a, float):
        return 0  # a size of 0 asks for it where nothing is left to count
    return (math.fmod(a, b) if isinstance(a, float) else a - b * divide(a, b)) if fmod else a % b


_INTEGERS = {2, 3, 4, 5, 6, 7, 12, 13}
_FLOATS = {1: "float32", 11: "float64"}
_BOOL = 9


def cast_scalar(a: Scalar, to: int) -> Scalar:
    """Cast a scalar to the ONNX element type ``to``."""
    arithmetic = _arithmetic((a,))
    if arithmetic:
        return arithmetic.cast(a, to)
    if to in _INTEGERS:
        return int(a)
    if to == _BOOL:
        return bool(a)
    if to in _FLOATS:
        return rounded(float(a), to)
    raise NotOnHost(f"cast to element type {to}")


def rounded(a: float, to: int) -> float:
    """Round a Python float to float32 where that is its type in the graph."""
    if to == 1:
        import numpy as np

        return float(np.float32(a))
    return a


def range_length(start: Scalar, limit: Scalar, delta: Scalar, element_type: int) -> int:
    """Return how many numbers an ONNX `Range` of plain numbers counts.

    The quotient is rounded as its type rounds it: `arange(0, 0.3, 0.1)` has three numbers, but the
    exact quotient of the three float32 numbers lies a little above 3.

    Raises:
        ZeroDivisionError: the step is 0.
    """
    if element_type not in _FLOATS:
        return max(-((start - limit) // delta), 0)
    if delta == 0:
        raise ZeroDivisionError("the step of a Range is 0")
    if element_type == 1:
        span = rounded(rounded(limit, 1) - rounded(start, 1), 1)
        steps = rounded(span / rounded(delta, 1), 1)
    else:
        steps = (limit - start) / delta
    return max(math.ceil(steps), 0)


def _unary(name: str, plain: Callable[[Any], Any]) -> Callable[[Scalar], Scalar]:
    def apply(a: Scalar) -> Scalar:
        arithmetic = _arithmetic((a,))
        return getattr(arithmetic, name)(a) if arithmetic else plain(a)

    return apply


logical_not = _unary("logical_not", lambda a: not a)
floor_of = _unary("floor", lambda a: float(math.floor(a)))
ceiling = _unary("ceil", lambda a: float(math.ceil(a)))
square_root = _unary("sqrt", math.sqrt)


def logical_and(a: Scalar, b: Scalar) -> Scalar:
    arithmetic = _arithmetic((a, b))
    return arithmetic.logical_and(a, b) if arithmetic else (a and b)


def logical_or(a: Scalar, b: Scalar) -> Scalar:
    arithmetic = _arithmetic((a, b))
    return arithmetic.logical_or(a, b) if arithmetic else (a or b)


# ------------------------------------------------------------------ nested tuples


def shape_of(value: Nested) -> tuple[int, ...]:
    """Return the shape of a nested tuple; an empty inner level ends it."""
    shape: list[int] = []
    while isinstance(value, tuple):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def flatten(value: Nested) -> list[Scalar]:
    """Return the scalars in row-major order."""
    if not isinstance(value, tuple):
        return [value]
    return [scalar for item in value for scalar in flatten(item)]


def unflatten(items: list[Scalar], shape: tuple[int, ...]) -> Nested:
    """Build a nested tuple of ``shape`` from scalars in row-major order.

    Raises:
        NotOnHost: a tuple cannot say what shape nothing has, as ``(0, 3)``.
    """
    if 0 in shape[:-1]:
        raise NotOnHost(f"nothing of shape {shape}")
    if not shape:
        return items[0]
    step = len(items) // shape[0] if shape[0] else 0
    return tuple(unflatten(items[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0]))


def broadcast(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the common shape by NumPy's rule."""
    rank = max(map(len, shapes))
    result = []
    for axis in range(-rank, 0):
        sizes = {shape[axis] for shape in shapes if len(shape) >= -axis} - {1}
        if len(sizes) > 1:
            raise NotOnHost(f"shapes {shapes} do not broadcast")
        result.append(sizes.pop() if sizes else 1)
    return tuple(result)


def expanded(value: Nested, shape: tuple[int, ...]) -> list[Scalar]:
    own, items = shape_of(value), flatten(value)
    if own == shape:
        return items
    result = []
    for index in product(*map(range, shape)):
        position = 0
        for axis, size in enumerate(own):
            position = position * size + (index[len(shape) - len(own) + axis] if size > 1 else 0)
        result.append(items[position])
    return result


def elementwise(function: Callable[..., Scalar], *values: Nested) -> Nested:
    """Apply a scalar function with broadcasting."""
    shape = broadcast(*map(shape_of, values))
    columns = [expanded(value, shape) for value in values]
    return unflatten([function(*row) for row in zip(*columns, strict=True)], shape)


def at(value: Nested, axis: int, pick: Callable[[tuple], Nested]) -> Nested:
    """Apply ``pick`` to every sub-tuple along ``axis``."""
    if axis == 0:
        return pick(value)
    return tuple(at(item, axis - 1, pick) for item in value)


def axis_of(axis: int, rank: int) -> int:
    return axis + rank if axis < 0 else axis


def integers(value: Nested) -> tuple[int, ...]:
    """Return plain integers; `NotOnHost` when one is symbolic."""
    items = flatten(value)
    if not all(is_plain(item) for item in items):
        raise NotOnHost("an axis or index that is not known before the run")
    return tuple(int(item) for item in items)
