"""Shape arithmetic on the host, once for both frameworks.

What flows out of `Shape` is not a tensor but a nested tuple of scalars: a bare scalar for
rank 0, a tuple for rank 1, a tuple of tuples for rank 2. A scalar is a Python number or one of
the framework's symbolic scalars (`torch.SymInt`, a scalar `tf.Tensor`), whose arithmetic the
framework registers with `symbolic`. Functions here have the ONNX schema's signature, as handlers
have, and raise `NotOnHost` where they cannot answer, so that a tensor is used instead.
"""

from __future__ import annotations

import math

from converter.rebuild.host_values import (
    NotOnHost,
    at,
    axis_of,
    broadcast,
    cast_scalar,
    ceiling,
    divide,
    elementwise,
    expanded,
    flatten,
    floor_of,
    integers,
    logical_and,
    logical_not,
    logical_or,
    maximum,
    minimum,
    modulo,
    select,
    shape_of,
    square_root,
    unflatten,
)
from converter.rebuild.registry import Registry

registry = Registry("host")
op = registry.op


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
    return elementwise(floor_of, X)


@op("Ceil", since=6)
def ceil(X):
    return elementwise(ceiling, X)


@op("Sqrt", since=6)
def sqrt(X):
    return elementwise(square_root, X)


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
    return elementwise(logical_not, X)


@op("And", since=7)
def and_(A, B):
    return elementwise(logical_and, A, B)


@op("Or", since=7)
def or_(A, B):
    return elementwise(logical_or, A, B)


@op("Where", since=9)
def where(condition, X, Y):
    return elementwise(select, condition, X, Y)


@op("Gather", since=1)
def gather(data, indices, *, axis=0):
    axis = axis_of(axis, len(shape_of(data)))
    rows = integers(indices)
    return at(data, axis, lambda row: unflatten([row[i] for i in rows], shape_of(indices)))


@op("Concat", since=4)
def concat(*inputs, axis):
    axis = axis_of(axis, len(shape_of(inputs[0])))
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
        data = at(data, axis_of(axis, rank), _slicer(start, end, step))
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
        else [axis_of(axis, len(shape)) for axis in integers(axes)]
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
    for axis in sorted(axis_of(axis, rank) for axis in axes):
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
    axis = axis_of(axis, len(shape_of(input)))
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
    return unflatten(expanded(input, target), target)


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
