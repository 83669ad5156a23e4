"""Arithmetic on scalar `tf.Tensor`s, for shape arithmetic on the host."""

from __future__ import annotations

import sys

import tensorflow as tf

from converter.rebuild.host_values import symbolic
from converter.rebuild.tensorflow.dtypes import number, to_framework


def _alike(a, b):
    """Bring a Python number to the dtype of the tensor beside it."""
    dtype = a.dtype if isinstance(a, tf.Tensor) else b.dtype
    return number(a, dtype), number(b, dtype)


def minimum(a, b):
    return tf.minimum(*_alike(a, b))


def maximum(a, b):
    return tf.maximum(*_alike(a, b))


def where(condition, a, b):
    if not isinstance(a, tf.Tensor) and not isinstance(b, tf.Tensor):
        dtype = tf.float64 if isinstance(a, float) else tf.bool if isinstance(a, bool) else tf.int64
        return tf.where(condition, tf.constant(a, dtype), tf.constant(b, dtype))
    return tf.where(condition, *_alike(a, b))


def truncdiv(a, b):
    a, b = _alike(a, b)
    return a / b if a.dtype.is_floating else tf.truncatediv(a, b)


def mod(a, b):
    a, b = _alike(a, b)
    # Of nothing, as a size of 0 may ask for, there is no remainder: the kernel would stop the run.
    return tf.where(
        b == 0, tf.zeros_like(a), tf.math.floormod(a, tf.where(b == 0, tf.ones_like(b), b))
    )


def fmod(a, b):
    return tf.truncatemod(*_alike(a, b))


def cast(a, to):
    return tf.cast(a, to_framework(to))


def floor(a):
    return tf.floor(a)


def ceil(a):
    return tf.math.ceil(a)


def sqrt(a):
    return tf.sqrt(a)


def logical_not(a):
    return tf.logical_not(a)


def logical_and(a, b):
    return tf.logical_and(a, b)


def logical_or(a, b):
    return tf.logical_or(a, b)


symbolic(tf.Tensor)(sys.modules[__name__])
