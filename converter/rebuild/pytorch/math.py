"""Handlers of the room `math`: arithmetic, activations, products."""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F

from converter.rebuild.host_values import is_plain
from converter.rebuild.pytorch.table import op
from converter.rebuild.pytorch.unsigned import divided, from_ordered, ordered, widened

# ------------------------------------------------------------------ arithmetic


@op("Add", since=7)
@widened
def add(A, B):
    return torch.add(A, B)


@op("Sub", since=7)
@widened
def sub(A, B):
    return torch.sub(A, B)


@op("Mul", since=7)
@widened
def mul(A, B):
    return torch.mul(A, B)


@op("Div", since=7)
def div(A, B):
    if A.dtype == torch.uint64:
        return divided(A, B)
    return _div(A, B)


@widened
def _div(A, B):
    # Integers truncate towards zero.
    return torch.div(A, B, rounding_mode=None if A.is_floating_point() else "trunc")


@op("Mod", since=10)
def mod(A, B, *, fmod=0):
    if A.dtype == torch.uint64:
        return sub(A, mul(divided(A, B), B))
    return _mod(A, B, fmod=fmod)


@widened
def _mod(A, B, *, fmod):
    return torch.fmod(A, B) if fmod else torch.remainder(A, B)


@op("Pow", since=7)
def pow_(X, Y):
    if not X.is_floating_point() and Y.is_floating_point():
        return torch.pow(X.to(Y.dtype), Y).to(X.dtype)
    return torch.pow(X, Y).to(X.dtype)


@op("Neg", since=6)
def neg(X):
    return torch.neg(X)


@op("Abs", since=6)
@widened
def abs_(X):
    return torch.abs(X)


@op("Sign", since=9)
@widened
def sign(input):
    return torch.sign(input)


@op("Reciprocal", since=6)
def reciprocal(X):
    return torch.reciprocal(X)


@op("Sqrt", since=6)
def sqrt(X):
    return torch.sqrt(X)


@op("Exp", since=6)
def exp(input):
    return torch.exp(input)


@op("Log", since=6)
def log(input):
    return torch.log(input)


@op("Floor", since=6)
def floor(X):
    return torch.floor(X)


@op("Ceil", since=6)
def ceil(X):
    return torch.ceil(X)


@op("Round", since=11)
def round_(X):
    return torch.round(X)


@op("Erf", since=9)
def erf(input):
    if not input.is_floating_point():
        return torch.erf(input.float()).to(input.dtype)
    return torch.erf(input)


@op("Sin", since=7)
def sin(input):
    return torch.sin(input)


@op("Cos", since=7)
def cos(input):
    return torch.cos(input)


@op("Tan", since=7)
def tan(input):
    return torch.tan(input)


@op("Asin", since=7)
def asin(input):
    return torch.asin(input)


@op("Acos", since=7)
def acos(input):
    return torch.acos(input)


@op("Atan", since=7)
def atan(input):
    return torch.atan(input)


@op("Sinh", since=9)
def sinh(input):
    return torch.sinh(input)


@op("Cosh", since=9)
def cosh(input):
    return torch.cosh(input)


@op("Asinh", since=9)
def asinh(input):
    return torch.asinh(input)


@op("Acosh", since=9)
def acosh(input):
    return torch.acosh(input)


@op("Atanh", since=9)
def atanh(input):
    return torch.atanh(input)


@op("Min", since=8)
def min_(*data_0):
    return _extreme(torch.minimum, data_0)


@op("Max", since=8)
def max_(*data_0):
    return _extreme(torch.maximum, data_0)


def _extreme(function, tensors):
    return from_ordered(functools.reduce(function, map(ordered, tensors)), tensors[0].dtype)


@op("Sum", since=8)
def sum_(*data_0):
    return functools.reduce(add, data_0)


@op("Mean", since=8)
def mean(*data_0):
    return sum_(*data_0) / len(data_0)


@op("Clip", since=6)
def clip_6(input, *, min=-3.4028234663852886e38, max=3.4028234663852886e38):
    return torch.clamp(input, min, max)


@op("Clip", since=11)
def clip_11(input, min=None, max=None):
    # Where the bounds cross, ONNX gives the upper one.
    result = input if min is None else max_(input, min)
    return result if max is None else min_(result, max)


@op("BitShift", since=11)
def bit_shift(X, Y, *, direction):
    wide, amount = X.to(torch.int64), Y.to(torch.int64)
    if direction == "LEFT":
        return torch.bitwise_left_shift(wide, amount).to(X.dtype)
    if X.dtype == torch.uint64:  # no sign may be shifted in
        keep = ~torch.bitwise_left_shift(torch.full_like(wide, -1), 64 - amount)
        keep = torch.where(amount == 0, -1, keep)
        return (torch.bitwise_right_shift(wide, amount) & keep).to(X.dtype)
    return torch.bitwise_right_shift(wide, amount).to(X.dtype)


@op("CumSum", since=11, host=("axis",))
@widened
def cum_sum(x, axis, *, exclusive=0, reverse=0):
    return _scan(torch.cumsum, x, axis, exclusive, reverse, 0)


@op("CumProd", since=26, host=("axis",))
@widened
def cum_prod(x, axis, *, exclusive=0, reverse=0):
    return _scan(torch.cumprod, x, axis, exclusive, reverse, 1)


def _scan(function, x, axis, exclusive, reverse, neutral):
    axis = axis[0] if isinstance(axis, tuple) else axis
    x = torch.flip(x, (axis,)) if reverse else x
    result = function(x, axis, dtype=x.dtype)
    if exclusive and x.shape[axis]:
        first = torch.full_like(result.narrow(axis, 0, 1), neutral)
        result = torch.cat((first, result.narrow(axis, 0, result.shape[axis] - 1)), axis)
    return torch.flip(result, (axis,)) if reverse else result


# ------------------------------------------------------------------ activations


@op("Relu", since=6)
def relu(X):
    return F.relu(X)


@op("LeakyRelu", since=6)
def leaky_relu(X, *, alpha=0.01):
    return F.leaky_relu(X, alpha)


@op("PRelu", since=7)
def p_relu(X, slope):
    return torch.where(X < 0, X * slope, X)


@op("ThresholdedRelu", since=10)
def thresholded_relu(X, *, alpha=1.0):
    return torch.where(alpha < X, X, torch.zeros_like(X))


@op("Shrink", since=9)
def shrink(input, *, bias=0.0, lambd=0.5):
    zero = torch.zeros_like(input)
    small = torch.where(input < -lambd, (input + bias).to(input.dtype), zero)
    return torch.where(input > lambd, (input - bias).to(input.dtype), small)


@op("Elu", since=6)
def elu(X, *, alpha=1.0):
    return F.elu(X, alpha)


@op("Celu", since=12)
def celu(X, *, alpha=1.0):
    return F.celu(X, alpha)


@op("Selu", since=6)
def selu(X, *, alpha=1.6732631921768188, gamma=1.0507010221481323):
    return gamma * torch.where(X > 0, X, alpha * torch.expm1(X))


@op("Gelu", since=20)
def gelu(X, *, approximate="none"):
    return F.gelu(X, approximate=approximate)


@op("Mish", since=18)
def mish(X):
    return F.mish(X)


@op("Swish", since=24)
def swish(X, *, alpha=1.0):
    return X * torch.sigmoid(alpha * X)


@op("HardSigmoid", since=6)
def hard_sigmoid(X, *, alpha=0.20000000298023224, beta=0.5):
    return torch.clamp(alpha * X + beta, 0, 1)


@op("HardSwish", since=14)
def hard_swish(X):
    return F.hardswish(X)


@op("Sigmoid", since=6)
def sigmoid(X):
    return torch.sigmoid(X)


@op("Tanh", since=6)
def tanh(input):
    return torch.tanh(input)


@op("Softplus", since=1)
def softplus(X):
    return F.softplus(X, threshold=1e9)


@op("Softsign", since=1)
def softsign(input):
    return F.softsign(input)


@op("Softmax", since=1)
def softmax_1(input, *, axis=1):
    return _coerced(lambda x: F.softmax(x, 1), input, axis)


@op("Softmax", since=13)
def softmax_13(input, *, axis=-1):
    return F.softmax(input, axis)


@op("LogSoftmax", since=1)
def log_softmax_1(input, *, axis=1):
    return _coerced(lambda x: F.log_softmax(x, 1), input, axis)


@op("LogSoftmax", since=13)
def log_softmax_13(input, *, axis=-1):
    return F.log_softmax(input, axis)


@op("Hardmax", since=1)
def hardmax_1(input, *, axis=1):
    return _coerced(lambda x: hardmax_13(x, axis=1), input, axis)


@op("Hardmax", since=13)
def hardmax_13(input, *, axis=-1):
    if any(is_plain(size) and size == 0 for size in input.shape):
        return torch.zeros_like(input)
    first = torch.argmax(input, axis, keepdim=True)
    return torch.zeros_like(input).scatter(axis, first, 1.0)


def _coerced(function, x, axis):
    """Apply a function of matrices to ``x`` with the axes before and from ``axis`` on joined."""
    axis = axis + x.dim() if axis < 0 else axis
    rows = math.prod(x.shape[:axis])
    return function(x.reshape(rows, math.prod(x.shape[axis:]))).reshape(x.shape)


# ------------------------------------------------------------------ products


@op("MatMul", since=1)
@widened
def mat_mul(A, B):
    return torch.matmul(A, B)


@op("Gemm", since=7)
def gemm(A, B, C=None, *, alpha=1.0, beta=1.0, transA=0, transB=0):
    if C is not None and alpha == beta == 1.0 and transB and not transA and C.dim() == 1:
        return F.linear(A, B, C)
    product = torch.matmul(A.t() if transA else A, B.t() if transB else B)
    product = product if alpha == 1.0 else _scaled(product, alpha)
    if C is None or beta == 0.0:
        return product
    return product + (C if beta == 1.0 else _scaled(C, beta))


def _scaled(x, factor):
    return x * factor if x.is_floating_point() else (x * factor).to(x.dtype)


@op("Einsum", since=12)
def einsum(*Inputs, equation):
    return torch.einsum(equation.replace(" ", ""), *Inputs)


@op("Det", since=11)
def det(X):
    return torch.linalg.det(X)


@op("TopK", since=1)
def top_k_1(X, *, k, axis=-1):
    return _top_k(X, k, axis, 1, 1)


@op("TopK", since=10, host=("K",))
def top_k_10(X, K, *, axis=-1):
    return _top_k(X, K[0], axis, 1, 1)


@op("TopK", since=11, host=("K",))
def top_k_11(X, K, *, axis=-1, largest=1, sorted=1):
    return _top_k(X, K[0], axis, largest, sorted)


def _top_k(x, k, axis, largest, sorted_):
    # A stable sort, since ONNX breaks ties by the lower index and torch.topk does not.
    values, indices = torch.sort(ordered(x), dim=axis, descending=bool(largest), stable=True)
    values, indices = values.narrow(axis, 0, k), indices.narrow(axis, 0, k)
    return from_ordered(values, x.dtype), indices
