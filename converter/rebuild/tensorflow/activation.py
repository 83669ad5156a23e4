"""Handlers of the room `math`: activations."""

from __future__ import annotations

import math

import tensorflow as tf

from converter.rebuild.tensorflow.math import widened
from converter.rebuild.tensorflow.shapes import axis_of, dims, number, product, vector
from converter.rebuild.tensorflow.table import op


@op("Relu", since=6)
@widened
def relu(X):
    return tf.nn.relu(X)


@op("LeakyRelu", since=6)
def leaky_relu(X, *, alpha=0.01):
    return tf.nn.leaky_relu(X, alpha)


@op("PRelu", since=7)
@widened
def p_relu(X, slope):
    return tf.where(X < 0, X * slope, X)


@op("ThresholdedRelu", since=10)
def thresholded_relu(X, *, alpha=1.0):
    return tf.where(number(alpha, X.dtype) < X, X, tf.zeros_like(X))


@op("Elu", since=6)
def elu(X, *, alpha=1.0):
    return tf.where(X < 0, number(alpha, X.dtype) * tf.math.expm1(tf.minimum(X, 0)), X)


@op("Celu", since=12)
def celu(X, *, alpha=1.0):
    a = number(alpha, X.dtype)
    return tf.maximum(X, 0) + tf.minimum(a * tf.math.expm1(tf.minimum(X, 0) / a), 0)


@op("Selu", since=6)
def selu(X, *, alpha=1.6732631921768188, gamma=1.0507010221481323):
    a, g = number(alpha, X.dtype), number(gamma, X.dtype)
    return g * tf.where(X > 0, X, a * tf.math.expm1(tf.minimum(X, 0)))


@op("Gelu", since=20)
def gelu(X, *, approximate="none"):
    if X.dtype != tf.float64:
        return tf.nn.gelu(X, approximate == "tanh")
    # TensorFlow's own has its constants in float32, whatever X is.
    if approximate == "tanh":
        return 0.5 * X * (1 + tf.tanh((2 / math.pi) ** 0.5 * (X + 0.044715 * X * X * X)))
    return 0.5 * X * tf.math.erfc(-X * 0.5**0.5)


@op("Mish", since=18)
def mish(X):
    return X * tf.tanh(tf.math.softplus(X))


@op("Swish", since=24)
def swish(X, *, alpha=1.0):
    return X * tf.sigmoid(number(alpha, X.dtype) * X)


@op("Shrink", since=9)
def shrink(input, *, bias=0.0, lambd=0.5):
    x = tf.cast(input, tf.float64) if input.dtype.is_integer else input
    b, limit = number(bias, x.dtype), number(lambd, x.dtype)
    shrunk = tf.where(x < -limit, x + b, tf.where(x > limit, x - b, tf.zeros_like(x)))
    return tf.cast(shrunk, input.dtype)


@op("HardSigmoid", since=6)
def hard_sigmoid(X, *, alpha=0.20000000298023224, beta=0.5):
    return tf.clip_by_value(number(alpha, X.dtype) * X + number(beta, X.dtype), 0, 1)


@op("HardSwish", since=14)
def hard_swish(X):
    return X * tf.clip_by_value(X / 6 + number(0.5, X.dtype), 0, 1)


@op("Sigmoid", since=6)
def sigmoid(X):
    return tf.sigmoid(X)


@op("Tanh", since=6)
def tanh(input):
    return tf.tanh(input)


@op("Softplus", since=1)
def softplus(X):
    return tf.math.softplus(X)


@op("Softsign", since=1)
def softsign(input):
    return tf.math.softsign(input)


@op("Softmax", since=1)
def softmax_1(input, *, axis=1):
    return _coerced(tf.nn.softmax, input, axis)


@op("Softmax", since=13)
def softmax_13(input, *, axis=-1):
    return tf.nn.softmax(input, axis)


@op("LogSoftmax", since=1)
def log_softmax_1(input, *, axis=1):
    return _coerced(tf.nn.log_softmax, input, axis)


@op("LogSoftmax", since=13)
def log_softmax_13(input, *, axis=-1):
    return tf.nn.log_softmax(input, axis)


@op("Hardmax", since=1)
def hardmax_1(input, *, axis=1):
    return _coerced(hardmax_13, input, axis)


@op("Hardmax", since=13)
def hardmax_13(input, *, axis=-1):
    axis = axis_of(axis, input.shape.rank)
    depth = dims(input)[axis]
    if 0 in [*input.shape]:
        return tf.zeros_like(input)
    return tf.one_hot(
        tf.argmax(input, axis), tf.cast(depth, tf.int32), axis=axis, dtype=input.dtype
    )


def _coerced(function, x, axis):
    """Apply a function of matrices to ``x`` with the axes before and from ``axis`` on joined."""
    sizes = dims(x)
    axis = axis_of(axis, len(sizes))
    matrix = tf.reshape(x, vector([product(sizes[:axis]), product(sizes[axis:])]))
    result = tf.reshape(function(matrix), vector(sizes))
    result.set_shape(x.shape)
    return result
