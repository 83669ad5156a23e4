"""Shape arithmetic on the host, once for both frameworks.

What flows out of `Shape` is not a tensor but a nested tuple of scalars: a bare scalar for
rank 0, a tuple for rank 1, a tuple of tuples for rank 2. A scalar is a Python number or one of
the framework's symbolic scalars (`torch.SymInt`, a scalar `tf.Tensor`), whose arithmetic the
framework registers with `symbolic`. Functions here have the ONNX schema's signature, as handlers
have, and raise `NotOnHost` where they cannot answer, so that a tensor is used instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import product
from types import ModuleType
from typing import Any

from converter.rebuild.registry import Registry

Scalar = Any
Nested = Any

registry = Registry("host")
op = registry.op


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


def _unary(name: str, plain: Callable[[Any], Any]) -> Callable[[Scalar], Scalar]:
    def apply(a: Scalar) -> Scalar:
        arithmetic = _arithmetic((a,))
        return getattr(arithmetic, name)(a) if arithmetic else plain(a)

    return apply


_not = _unary("logical_not", lambda a: not a)
_floor = _unary("floor", lambda a: float(math.floor(a)))
_ceil = _unary("ceil", lambda a: float(math.ceil(a)))
_sqrt = _unary("sqrt", math.sqrt)


def _and(a: Scalar, b: Scalar) -> Scalar:
    arithmetic = _arithmetic((a, b))
    return arithmetic.logical_and(a, b) if arithmetic else (a and b)


def _or(a: Scalar, b: Scalar) -> Scalar:
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
    """Build a nested tuple of ``shape`` from scalars in row-major order."""
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


def _expand(value: Nested, shape: tuple[int, ...]) -> list[Scalar]:
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
    columns = [_expand(value, shape) for value in values]
    return unflatten([function(*row) for row in zip(*columns, strict=True)], shape)


def at(value: Nested, axis: int, pick: Callable[[tuple], Nested]) -> Nested:
    """Apply ``pick`` to every sub-tuple along ``axis``."""
    if axis == 0:
        return pick(value)
    return tuple(at(item, axis - 1, pick) for item in value)


def _axis(axis: int, rank: int) -> int:
    return axis + rank if axis < 0 else axis


def integers(value: Nested) -> tuple[int, ...]:
    """Return plain integers; `NotOnHost` when one is symbolic."""
    items = flatten(value)
    if not all(is_plain(item) for item in items):
        raise NotOnHost("an axis or index that is not known before the run")
    return tuple(int(item) for item in items)


# ------------------------------------------------------------------ operators


@op("Identity", since=1)
def identity(input):
    return input


@op("Shape", since=1)
def shape(data, *, start=0, end=None):
    return shape_of(data)[start:end]


@op("Size", since=1)
def size(data):
    return math.prod(shape_of(data))


@op("Cast", since=6)
def cast(input, *, to, saturate=1, round_mode="up"):
    return elementwise(lambda a: cast_scalar(a, to), input)


@op("Add", since=7)
def add(A, B):
    return elementwise(lambda a, b: a + b, A, B)


@op("Sub", since=7)
def sub(A, B):
    return elementwise(lambda a, b: a - b, A, B)


@op("Mul", since=7)
def mul(A, B):
    return elementwise(lambda a, b: a * b, A, B)


@op("Div", since=7)
def div(A, B):
    return elementwise(divide, A, B)


@op("Mod", since=10)
def mod(A, B, *, fmod=0):
    return elementwise(lambda a, b: modulo(a, b, fmod), A, B)


@op("Neg", since=6)
def neg(X):
    return elementwise(lambda a: -a, X)


@op("Abs", since=6)
def abs_(X):
    return elementwise(abs, X)


@op("Floor", since=6)
def floor(X):
    return elementwise(_floor, X)


@op("Ceil", since=6)
def ceil(X):
    return elementwise(_ceil, X)


@op("Sqrt", since=6)
def sqrt(X):
    return elementwise(_sqrt, X)


@op("Min", since=8)
def min_(*data_0):
    return _fold(minimum, data_0)


@op("Max", since=8)
def max_(*data_0):
    return _fold(maximum, data_0)


def _fold(function, values):
    result = values[0]
    for value in values[1:]:
        result = elementwise(function, result, value)
    return result


@op("Equal", since=7)
def equal(A, B):
    return elementwise(lambda a, b: a == b, A, B)


@op("Less", since=7)
def less(A, B):
    return elementwise(lambda a, b: a < b, A, B)


@op("LessOrEqual", since=12)
def less_or_equal(A, B):
    return elementwise(lambda a, b: a <= b, A, B)


@op("Greater", since=7)
def greater(A, B):
    return elementwise(lambda a, b: a > b, A, B)


@op("GreaterOrEqual", since=12)
def greater_or_equal(A, B):
    return elementwise(lambda a, b: a >= b, A, B)


@op("Not", since=1)
def not_(X):
    return elementwise(_not, X)


@op("And", since=7)
def and_(A, B):
    return elementwise(_and, A, B)


@op("Or", since=7)
def or_(A, B):
    return elementwise(_or, A, B)


@op("Where", since=9)
def where(condition, X, Y):
    return elementwise(select, condition, X, Y)


@op("Gather", since=1)
def gather(data, indices, *, axis=0):
    axis = _axis(axis, len(shape_of(data)))
    rows = integers(indices)
    return at(data, axis, lambda row: unflatten([row[i] for i in rows], shape_of(indices)))


@op("Concat", since=4)
def concat(*inputs, axis):
    axis = _axis(axis, len(shape_of(inputs[0])))
    return _concat(inputs, axis)


def _concat(values, axis):
    if axis == 0:
        return tuple(item for value in values for item in value)
    return tuple(_concat(rows, axis - 1) for rows in zip(*values, strict=True))


@op("Slice", since=1)
def slice_1(data, *, starts, ends, axes=None):
    return slice_10(data, starts, ends, axes)


@op("Slice", since=10)
def slice_10(data, starts, ends, axes=None, steps=None):
    starts, ends = integers(starts), integers(ends)
    rank = len(shape_of(data))
    axes = tuple(range(len(starts))) if axes is None else integers(axes)
    steps = (1,) * len(starts) if steps is None else integers(steps)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        data = at(data, _axis(axis, rank), _slicer(start, end, step))
    return data


def _slicer(start, end, step):
    # Python reads an end of -1 as "one before the last" too, but for a negative step ONNX
    # means "past the first" by anything below -size.
    def pick(row):
        stop = None if step < 0 and end < -len(row) else end
        return row[start:stop:step]

    return pick


@op("Squeeze", since=1)
def squeeze_1(data, *, axes=None):
    return squeeze_13(data, axes)


@op("Squeeze", since=13)
def squeeze_13(data, axes=None):
    shape = shape_of(data)
    axes = (
        [axis for axis, size in enumerate(shape) if size == 1]
        if axes is None
        else [_axis(axis, len(shape)) for axis in integers(axes)]
    )
    if any(shape[axis] != 1 for axis in axes):
        raise NotOnHost(f"Squeeze of axes {axes} from {shape}")
    return unflatten(flatten(data), tuple(s for i, s in enumerate(shape) if i not in axes))


@op("Unsqueeze", since=1)
def unsqueeze_1(data, *, axes):
    return unsqueeze_13(data, axes)


@op("Unsqueeze", since=13)
def unsqueeze_13(data, axes):
    shape = list(shape_of(data))
    axes = integers(axes)
    rank = len(shape) + len(axes)
    for axis in sorted(_axis(axis, rank) for axis in axes):
        shape.insert(axis, 1)
    return unflatten(flatten(data), tuple(shape))


@op("Reshape", since=5)
def reshape(data, shape, *, allowzero=0):
    old, new = shape_of(data), list(integers(shape))
    if not allowzero:
        new = [old[axis] if size == 0 else size for axis, size in enumerate(new)]
    items = flatten(data)
    if -1 in new:
        new[new.index(-1)] = len(items) // max(1, -math.prod(new))
    return unflatten(items, tuple(new))


@op("Split", since=2)
def split_2(input, *, axis=0, split=None, n_outputs):
    return split_13(input, split, axis=axis, n_outputs=n_outputs)


@op("Split", since=13)
def split_13(input, split=None, *, axis=0, num_outputs=None, n_outputs):
    axis = _axis(axis, len(shape_of(input)))
    total = shape_of(input)[axis]
    if split is None:
        chunk = -(-total // (num_outputs or n_outputs))
        split = tuple(min(chunk, total - i * chunk) for i in range(num_outputs or n_outputs))
    pieces, begin = [], 0
    for length in integers(split):
        pieces.append(at(input, axis, lambda row, b=begin, e=begin + length: row[b:e]))
        begin += length
    return tuple(pieces)


def _reduce(function, start):
    def reduce(data, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        shape = shape_of(data)
        if len(shape) > 1 or (axes is not None and not integers(axes) and noop_with_empty_axes):
            raise NotOnHost("a reduction over part of the axes")
        result = start
        for item in flatten(data):
            result = item if result is None else function(result, item)
        if result is None:
            raise NotOnHost("a reduction over nothing")
        return (result,) if keepdims and shape else result

    return reduce


_add, _mul = (lambda a, b: a + b), (lambda a, b: a * b)


@op("ReduceProd", since=1)
def reduce_prod_1(data, *, axes=None, keepdims=1):
    return _reduce(_mul, 1)(data, axes, keepdims=keepdims)


@op("ReduceProd", since=18)
def reduce_prod_18(data, axes=None, *, keepdims=1, noop_with_empty_axes=0):
    return _reduce(_mul, 1)(
        data, axes, keepdims=keepdims, noop_with_empty_axes=noop_with_empty_axes
    )


@op("ReduceSum", since=1)
def reduce_sum_1(data, *, axes=None, keepdims=1):
    return _reduce(_add, 0)(data, axes, keepdims=keepdims)


@op("ReduceSum", since=13)
def reduce_sum_13(data, axes=None, *, keepdims=1, noop_with_empty_axes=0):
    return _reduce(_add, 0)(
        data, axes, keepdims=keepdims, noop_with_empty_axes=noop_with_empty_axes
    )


@op("ReduceMax", since=1)
def reduce_max_1(data, *, axes=None, keepdims=1):
    return _reduce(maximum, None)(data, axes, keepdims=keepdims)


@op("ReduceMax", since=18)
def reduce_max_18(data, axes=None, *, keepdims=1, noop_with_empty_axes=0):
    return _reduce(maximum, None)(data, axes, keepdims=keepdims)


@op("ReduceMin", since=1)
def reduce_min_1(data, *, axes=None, keepdims=1):
    return _reduce(minimum, None)(data, axes, keepdims=keepdims)


@op("ReduceMin", since=18)
def reduce_min_18(data, axes=None, *, keepdims=1, noop_with_empty_axes=0):
    return _reduce(minimum, None)(data, axes, keepdims=keepdims)


LARGEST = 1024
"""Values with more scalars than this are tensors, whatever they come from."""


@op("ConstantOfShape", since=9)
def constant_of_shape(input, *, value=None):
    shape = integers(input)
    if math.prod(shape) > LARGEST:
        raise NotOnHost("a large constant")
    fill = 0.0 if value is None else value.reshape(-1)[0].item()
    return unflatten([fill] * math.prod(shape), shape)


@op("Expand", since=8)
def expand(input, shape):
    target = broadcast(shape_of(input), integers(shape))
    if math.prod(target) > LARGEST:
        raise NotOnHost("a large constant")
    return unflatten(_expand(input, target), target)


@op("Range", since=11)
def range_(start, limit, delta):
    if any(isinstance(item, float) for item in (start, limit, delta)):
        raise NotOnHost("a range of floats")
    (first,), (stop,), (step,) = integers(start), integers(limit), integers(delta)
    values = tuple(range(first, stop, step))
    if len(values) > LARGEST:
        raise NotOnHost("a large constant")
    return values


@op("Transpose", since=1)
def transpose(data, *, perm=None):
    if len(shape_of(data)) > 1:
        raise NotOnHost("a transposition")
    return data
