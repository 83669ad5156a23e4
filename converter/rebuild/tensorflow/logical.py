"""Handlers of the room `logical`: comparisons, Boolean and bitwise operators."""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild.tensorflow.table import op

_WIDER = {tf.uint8: tf.int32, tf.uint16: tf.int32, tf.uint32: tf.int64}
_WIDER |= {tf.int8: tf.int32, tf.int16: tf.int32}


def _comparable(*tensors):
    """Bring integers that TensorFlow does not compare to a wider type."""
    return [tf.cast(tensor, _WIDER.get(tensor.dtype, tensor.dtype)) for tensor in tensors]


@op("Equal", since=7)
def equal(A, B):
    return tf.equal(A, B)


@op("Less", since=7)
def less(A, B):
    return tf.less(*_comparable(A, B))


@op("LessOrEqual", since=12)
def less_or_equal(A, B):
    return tf.less_equal(*_comparable(A, B))


@op("Greater", since=7)
def greater(A, B):
    return tf.greater(*_comparable(A, B))


@op("GreaterOrEqual", since=12)
def greater_or_equal(A, B):
    return tf.greater_equal(*_comparable(A, B))


@op("And", since=7)
def and_(A, B):
    return tf.logical_and(A, B)


@op("Or", since=7)
def or_(A, B):
    return tf.logical_or(A, B)


@op("Xor", since=7)
def xor(A, B):
    return tf.math.logical_xor(A, B)


@op("Not", since=1)
def not_(X):
    return tf.logical_not(X)


@op("BitwiseAnd", since=18)
def bitwise_and(A, B):
    return tf.bitwise.bitwise_and(A, B)


@op("BitwiseOr", since=18)
def bitwise_or(A, B):
    return tf.bitwise.bitwise_or(A, B)


@op("BitwiseXor", since=18)
def bitwise_xor(A, B):
    return tf.bitwise.bitwise_xor(A, B)


@op("BitwiseNot", since=18)
def bitwise_not(X):
    return tf.bitwise.invert(X)


@op("IsNaN", since=9)
def is_nan(X):
    return tf.math.is_nan(X)


@op("IsInf", since=10)
def is_inf(X, *, detect_negative=1, detect_positive=1):
    result = tf.math.is_inf(X)
    if not detect_negative:
        result = result & (X > 0)
    return result if detect_positive else result & (X < 0)
