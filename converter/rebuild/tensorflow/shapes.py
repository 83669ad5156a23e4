"""Sizes of tensors while a graph is traced: integers where static, scalar tensors where not."""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild.tensorflow.border import dims
from converter.rebuild.tensorflow.dtypes import number

__all__ = ["axis_of", "dims", "float64", "number", "product", "vector"]


def vector(sizes) -> tf.Tensor | list[int]:
    """Return sizes as what TensorFlow takes for a shape: a list, or an int64 vector."""
    if isinstance(sizes, tf.Tensor):
        return tf.cast(sizes, tf.int64)
    if any(isinstance(size, tf.Tensor) for size in sizes):
        return tf.stack([tf.cast(size, tf.int64) for size in sizes])
    return [int(size) for size in sizes]


def product(sizes):
    """Return the product of sizes."""
    result = 1
    for size in sizes:
        result = result * size
    return result


def axis_of(axis: int, rank: int) -> int:
    """Return a non-negative axis."""
    return axis + rank if axis < 0 else axis


def float64(x) -> tf.Tensor:
    """Return a number as float64."""
    return number(x, tf.float64)
