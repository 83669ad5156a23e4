"""Handlers of the room `math`: arithmetic, activations, products."""

from __future__ import annotations

import functools

import tensorflow as tf

from converter.rebuild.tensorflow.shapes import axis_of
from converter.rebuild.tensorflow.table import op

# TensorFlow's CPU kernels leave gaps in these types; they are computed in a wider one.
_WIDER = {tf.uint8: tf.int32, tf.uint16: tf.int32, tf.uint32: tf.int64, tf.uint64: tf.int64}
_WIDER |= {tf.int8: tf.int32, tf.int16: tf.int32}


def widened(function):
    """Let a handler compute small and unsigned integers in a wider type and give back their own."""

    @functools.wraps(function)
    def handler(*inputs, **attributes):
        dtype = inputs[0].dtype
        wider = _WIDER.get(dtype)
        if wider is None:
            return function(*inputs, **attributes)
        cast = [None if x is None else tf.cast(x, wider) for x in inputs]
        return tf.cast(function(*cast, **attributes), dtype)

    return handler


def in_float32(function):
    """Let a handler compute half precision and integers in float32 and give back their own type."""

    @functools.wraps(function)
    def handler(x, *rest, **attributes):
        if x.dtype in (tf.float32, tf.float64):
            return function(x, *rest, **attributes)
        return tf.cast(function(tf.cast(x, tf.float32), *rest, **attributes), x.dtype)

    return handler


# ------------------------------------------------------------------ arithmetic


@op("Add", since=7)
@widened
def add(A, B):
    return tf.add(_as_bias(A, B), _as_bias(B, A))


def _as_bias(b, x):
    """Drop the 1 of ``[1, n]`` beside a matrix: TensorFlow's optimizer fuses it as a bias and then
    refuses it where the product before has a transposed operand."""
    if b.shape.rank == x.shape.rank == 2 and b.shape[0] == 1 != x.shape[0]:
        return tf.reshape(b, [-1])
    return b


@op("Sub", since=7)
@widened
def sub(A, B):
    return tf.subtract(A, B)


@op("Mul", since=7)
@widened
def mul(A, B):
    return tf.multiply(A, B)


@op("Div", since=7)
@widened
def div(A, B):
    # Integers truncate towards zero.
    return tf.truncatediv(A, B) if A.dtype.is_integer else tf.divide(A, B)


@op("Mod", since=10)
@widened
def mod(A, B, *, fmod=0):
    if not fmod:
        return tf.math.floormod(A, B)
    if A.dtype.is_integer:
        return tf.truncatemod(A, B)
    # TensorFlow's own truncating kernel has no gradient, and none for half precision.
    wide = A.dtype if A.dtype in (tf.float32, tf.float64) else tf.float32
    a, b = tf.cast(A, wide), tf.cast(B, wide)
    rest = tf.math.floormod(tf.abs(a), tf.abs(b))
    return tf.cast(tf.where(a < 0, -rest, rest), A.dtype)


def _integer_power(x, y):
    """Return ``x ** y`` rounded towards 0; TensorFlow's kernel refuses negative exponents."""
    unit = tf.where(y % 2 == 0, x * x, x)  # 1 / x is a whole number for 1 and -1 alone
    below = tf.where(tf.abs(x) == 1, unit, tf.zeros_like(x))
    return tf.where(y < 0, below, tf.pow(x, tf.maximum(y, 0)))


@op("Pow", since=7)
def pow_(X, Y):
    if X.dtype.is_integer and Y.dtype.is_integer:
        return tf.cast(_integer_power(tf.cast(X, tf.int64), tf.cast(Y, tf.int64)), X.dtype)
    if X.dtype == Y.dtype and X.dtype not in _WIDER:
        return tf.pow(X, Y)
    wide = tf.float64 if tf.float64 in (X.dtype, Y.dtype) or Y.dtype.is_integer else tf.float32
    return tf.cast(tf.pow(tf.cast(X, wide), tf.cast(Y, wide)), X.dtype)


@op("Neg", since=6)
@widened
def neg(X):
    return tf.negative(X)


@op("Abs", since=6)
@widened
def abs_(X):
    return tf.abs(X)


@op("Sign", since=9)
@widened
def sign(input):
    return tf.sign(input)


@op("Reciprocal", since=6)
def reciprocal(X):
    return tf.math.reciprocal(X)


@op("Sqrt", since=6)
def sqrt(X):
    return tf.sqrt(X)


@op("Exp", since=6)
def exp(input):
    return tf.exp(input)


@op("Log", since=6)
def log(input):
    return tf.math.log(input)


@op("Floor", since=6)
def floor(X):
    return tf.floor(X)


@op("Ceil", since=6)
def ceil(X):
    return tf.math.ceil(X)


@op("Round", since=11)
def round_(X):
    return tf.round(X)


@op("Erf", since=9)
@in_float32
def erf(input):
    return tf.math.erf(input)


@op("Sin", since=7)
def sin(input):
    return tf.sin(input)


@op("Cos", since=7)
def cos(input):
    return tf.cos(input)


@op("Tan", since=7)
def tan(input):
    return tf.tan(input)


@op("Asin", since=7)
def asin(input):
    return tf.asin(input)


@op("Acos", since=7)
def acos(input):
    return tf.acos(input)


@op("Atan", since=7)
def atan(input):
    return tf.atan(input)


@op("Sinh", since=9)
def sinh(input):
    return tf.sinh(input)


@op("Cosh", since=9)
def cosh(input):
    return tf.cosh(input)


@op("Asinh", since=9)
def asinh(input):
    return tf.asinh(input)


@op("Acosh", since=9)
def acosh(input):
    return tf.acosh(input)


@op("Atanh", since=9)
def atanh(input):
    return tf.atanh(input)


@op("Min", since=8)
def min_(*data_0):
    return _fold(tf.minimum, data_0)


@op("Max", since=8)
def max_(*data_0):
    return _fold(tf.maximum, data_0)


@op("Sum", since=8)
def sum_(*data_0):
    return _fold(tf.add, data_0)


@op("Mean", since=8)
def mean(*data_0):
    return _fold(tf.add, data_0) / tf.cast(len(data_0), data_0[0].dtype)


def _fold(function, tensors):
    dtype = tensors[0].dtype
    wide = [tf.cast(tensor, _WIDER.get(dtype, dtype)) for tensor in tensors]
    return tf.cast(functools.reduce(function, wide), dtype)


@op("Clip", since=6)
def clip_6(input, *, min=-3.4028234663852886e38, max=3.4028234663852886e38):
    return tf.clip_by_value(input, min, max)


@op("Clip", since=11)
@widened
def clip_11(input, min=None, max=None):
    # Where the bounds cross, ONNX gives the upper one.
    result = input if min is None else tf.maximum(input, min)
    return result if max is None else tf.minimum(result, max)


@op("BitShift", since=11)
def bit_shift(X, Y, *, direction):
    """Shifts past the width, negative ones too, leave nothing but the sign."""
    bits = X.dtype.size * 8
    beyond = (tf.zeros((), Y.dtype) > Y) | (tf.cast(bits, Y.dtype) <= Y)
    if direction == "RIGHT" and X.dtype.min < 0:
        return tf.bitwise.right_shift(X, tf.where(beyond, tf.cast(bits - 1, Y.dtype), Y))
    shift = tf.bitwise.left_shift if direction == "LEFT" else tf.bitwise.right_shift
    return tf.where(beyond, tf.zeros((), X.dtype), shift(X, Y))


@op("CumSum", since=11, host=("axis",))
def cum_sum(x, axis, *, exclusive=0, reverse=0):
    return tf.cumsum(x, _only(axis), bool(exclusive), bool(reverse))


@op("CumProd", since=26, host=("axis",))
def cum_prod(x, axis, *, exclusive=0, reverse=0):
    return tf.math.cumprod(x, _only(axis), bool(exclusive), bool(reverse))


def _only(value):
    return value[0] if isinstance(value, tuple) else value


# ------------------------------------------------------------------ products


def _with_a_zero(x, axis):
    """Add a zero along an axis of none: oneDNN ends the process at sums over nothing."""
    amounts = [[0, 0] for _ in range(x.shape.rank)]
    amounts[axis] = [0, 1]
    return tf.pad(x, amounts)


@op("MatMul", since=1)
@widened
def mat_mul(A, B):
    if A.shape.rank and A.shape[-1] == 0:
        A, B = _with_a_zero(A, -1), _with_a_zero(B, -1 if B.shape.rank == 1 else -2)
    if A.shape.rank == 1 and B.shape.rank == 1:
        return tf.tensordot(A, B, 1)
    if A.shape.rank == 1:
        return tf.squeeze(tf.matmul(A[None, :], B), -2)
    if B.shape.rank == 1:
        return tf.squeeze(tf.matmul(A, B[:, None]), -1)
    if A.shape.rank > 2 and B.shape.rank == 2:
        return tf.tensordot(A, B, [[-1], [0]])  # one product instead of one per leading index
    return tf.matmul(A, B)


@op("Gemm", since=7)
@widened
def gemm(A, B, C=None, *, alpha=1.0, beta=1.0, transA=0, transB=0):
    if A.shape[0 if transA else 1] == 0:
        A, B = _with_a_zero(A, 0 if transA else 1), _with_a_zero(B, 1 if transB else 0)
    product = tf.matmul(A, B, transpose_a=bool(transA), transpose_b=bool(transB))
    product = product if alpha == 1.0 else _scaled(product, alpha)
    if C is None or beta == 0.0:
        return product
    return product + _as_bias(C if beta == 1.0 else _scaled(C, beta), product)


def _scaled(x, factor):
    if x.dtype.is_integer:
        return tf.cast(tf.cast(x, tf.float64) * factor, x.dtype)
    return x * tf.cast(factor, x.dtype)


@op("Einsum", since=12)
def einsum(*Inputs, equation):
    return tf.einsum(equation.replace(" ", ""), *Inputs)


@op("Det", since=11)
def det(X):
    return tf.linalg.det(X)


@op("TopK", since=1)
def top_k_1(X, *, k, axis=-1):
    return _top_k(X, k, axis, 1)


@op("TopK", since=10, host=("K",))
def top_k_10(X, K, *, axis=-1):
    return _top_k(X, _only(K), axis, 1)


@op("TopK", since=11, host=("K",))
def top_k_11(X, K, *, axis=-1, largest=1, sorted=1):
    return _top_k(X, _only(K), axis, largest)


def _top_k(x, k, axis, largest):
    k = tf.reshape(tf.cast(k, tf.int32), ()) if isinstance(k, tf.Tensor) else int(k)
    moved = _swap_last(x, axis)
    # A stable sort, since ONNX breaks ties by the lower index.
    work = moved if x.dtype not in _WIDER else tf.cast(moved, tf.int64)
    order = tf.argsort(work, stable=True, direction="DESCENDING" if largest else "ASCENDING")
    indices = order[..., :k]
    values = tf.gather(moved, indices, batch_dims=moved.shape.rank - 1)
    return _swap_last(values, axis), tf.cast(_swap_last(indices, axis), tf.int64)


def _swap_last(x, axis):
    rank = x.shape.rank
    axis = axis_of(axis, rank)
    if axis == rank - 1:
        return x
    order = list(range(rank))
    order[axis], order[-1] = order[-1], order[axis]
    return tf.transpose(x, order)
