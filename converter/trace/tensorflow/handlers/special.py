"""Special functions, and small arithmetic that tf2onnx has no translation for or a wrong one."""

from __future__ import annotations

import numpy as np

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, Value


@translates("Erfc")
def erfc(write: NodeWriter, x: Value) -> Value:
    """``erfc(x) = 1 - erf(x)``."""
    return write.Sub(write.like(1, x), write.Erf(x))


@translates("Atan2")
def atan2(write: NodeWriter, y: Value, x: Value) -> Value:
    """Return the angle of each point; a zero's sign and infinities count as in C."""
    one, zero, pi = write.like(1, x), write.like(0, x), write.like(np.pi, x)
    side = write.Where(is_negative(write, y), write.Neg(one), one)
    endless = write.like(np.inf, x)
    far = write.And(write.Equal(write.Abs(y), endless), write.Equal(write.Abs(x), endless))
    height, width = write.Where(far, side, y), write.Where(far, write.Sign(x), x)
    slope = write.Atan(write.Div(height, width))
    turned = write.Mul(side, pi)
    level = write.Where(is_negative(write, x), turned, write.Mul(side, zero))
    half = write.Mul(side, write.like(np.pi / 2, x))
    steep = write.Where(write.Equal(y, y), half, y)
    upright = write.Where(write.Equal(y, zero), level, steep)
    left = write.Where(write.Equal(y, zero), turned, write.Add(slope, turned))
    return write.Where(write.Equal(x, zero), upright, write.Where(write.Less(x, zero), left, slope))


def is_negative(write: NodeWriter, x: Value) -> Value:
    """Tell where numbers have a minus sign, zeros with it."""
    zero, one = write.like(0, x), write.like(1, x)
    return write.Or(write.Less(x, zero), write.Less(write.Div(one, x), zero))


SELU_ALPHA, SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@translates("Selu")
def selu(write: NodeWriter, x: Value) -> Value:
    """``scale * (x if x > 0 else alpha * (exp(x) - 1))`` (Klambauer et al. 2017).

    ONNX keeps both numbers in 32 bits, which float64 notices.
    """
    if write.dtype(x) != np.float64:
        same: Value = write.Selu(x)
        return same
    steep = write.Mul(write.Elu(x), write.like(SELU_ALPHA, x))
    chosen = write.Where(write.Greater(x, write.like(0, x)), x, steep)
    return write.Mul(chosen, write.like(SELU_SCALE, x))


@translates("L2Loss")
def l2_loss(write: NodeWriter, x: Value) -> Value:
    """Half the sum of squares."""
    return write.Mul(write.ReduceSumSquare(x, keepdims=0), write.like(0.5, x))


@translates("EuclideanNorm")
def euclidean_norm(write: NodeWriter, x: Value, axes: Value) -> Value:
    """Root of the sum of squares."""
    keep = int(bool(write.attribute("keep_dims", 0)))
    axes = write.reshape(write.index(axes), [-1]) if write.rank(axes) == 0 else write.index(axes)
    return write.ReduceL2(x, axes, keepdims=keep, noop_with_empty_axes=1)


@translates("Xdivy")
def xdivy(write: NodeWriter, x: Value, y: Value) -> Value:
    """``x / y``, 0 where ``x`` is 0."""
    return zero_where_zero(write, x, write.Div(x, y))


@translates("Xlogy")
def xlogy(write: NodeWriter, x: Value, y: Value) -> Value:
    """``x log(y)``, 0 where ``x`` is 0."""
    return zero_where_zero(write, x, write.Mul(x, write.Log(y)))


@translates("Xlog1py")
def xlog1py(write: NodeWriter, x: Value, y: Value) -> Value:
    """``x log(1 + y)``, 0 where ``x`` is 0."""
    return zero_where_zero(write, x, write.Mul(x, logarithm_of_one_plus(write, y)))


@translates("MulNoNan")
def multiply_no_nan(write: NodeWriter, x: Value, y: Value) -> Value:
    """``x y``, 0 where ``y`` is 0 whatever ``x`` is."""
    return zero_where_zero(write, y, write.Mul(x, y))


def zero_where_zero(write: NodeWriter, factor: Value, value: Value) -> Value:
    """Give 0 where the factor is 0."""
    zero = write.like(0, factor)
    return write.Where(write.Equal(factor, zero), zero, value)


@translates("Log1p")
def log1p(write: NodeWriter, x: Value) -> Value:
    """``log(1 + x)``, right for small ``x`` too."""
    return logarithm_of_one_plus(write, x)


def logarithm_of_one_plus(write: NodeWriter, x: Value) -> Value:
    """``log(u) x / (u - 1)`` with ``u = 1 + x`` as it is rounded; ``x`` where that is 1.

    The rounding error of ``u`` cancels out (Goldberg 1991, theorem 4). Past 1e8, and where ``u`` is
    infinite, ``log(u)`` itself is right.
    """
    one = write.like(1, x)
    rounded = write.Add(x, one)
    rest = write.Sub(rounded, one)
    same = write.Equal(rest, write.like(0, x))
    quotient = write.Div(x, write.Where(same, one, rest))
    logarithm = write.Log(rounded)
    large = write.Greater(x, write.like(1e4, x))
    return write.Where(same, x, write.Where(large, logarithm, write.Mul(logarithm, quotient)))


@translates("Expm1")
def expm1(write: NodeWriter, x: Value) -> Value:
    """``exp(x) - 1``; near 0 ``2 t / (1 - t)`` with ``t = tanh(x / 2)``, which cancels nothing."""
    one = write.like(1, x)
    half = write.Tanh(write.Mul(x, write.like(0.5, x)))
    near = write.Div(write.Mul(half, write.like(2, x)), write.Sub(one, half))
    small = write.Less(write.Abs(x), write.like(0.5, x))
    return write.Where(small, near, write.Sub(write.Exp(x), one))


@translates("TruncateMod")
def truncate_mod(write: NodeWriter, x: Value, y: Value) -> Value:
    """The rest with the sign of ``x``, as in C."""
    return write.Mod(x, y, fmod=1)


@translates("FloorMod")
def floor_mod(write: NodeWriter, x: Value, y: Value) -> Value:
    """The rest with the sign of ``y``, as in Python."""
    if write.dtype(x).kind in "iu":
        return write.Mod(x, y)
    rest = write.Mod(x, y, fmod=1)
    zero = write.like(0, x)
    apart = write.Less(write.Mul(write.Sign(rest), write.Sign(y)), zero)
    return write.Where(apart, write.Add(rest, y), rest)


@translates("FloorDiv")
def floor_div(write: NodeWriter, x: Value, y: Value) -> Value:
    """The quotient rounded down; ONNX rounds that of integers towards 0."""
    if write.dtype(x).kind == "u":
        return write.Div(x, y)
    if write.dtype(x).kind == "i":
        return write.Div(write.Sub(x, write.Mod(x, y)), y)
    return write.Floor(write.Div(x, y))


@translates("ApproximateEqual")
def approximate_equal(write: NodeWriter, x: Value, y: Value) -> Value:
    """``|x - y| < tolerance``."""
    distance = write.Abs(write.Sub(x, y))
    return write.Less(distance, write.like(write.attribute("tolerance", 1e-5), x))


@translates("IsFinite")
def is_finite(write: NodeWriter, x: Value) -> Value:
    """Neither infinite nor no number."""
    wide = write.cast(x, np.float32) if write.dtype(x).itemsize < 4 else x
    return write.Not(write.Or(write.IsInf(wide), write.IsNaN(wide)))
