"""Handlers of the room `generator`: constants, ranges, random numbers."""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild.host_values import is_plain, range_length
from converter.rebuild.tensorflow.dtypes import from_numpy, to_framework, to_onnx
from converter.rebuild.tensorflow.shapes import number, vector
from converter.rebuild.tensorflow.table import op


@op("ConstantOfShape", since=9, host=("input",))
def constant_of_shape(input, *, value=None):
    fill = tf.constant(0.0) if value is None else tf.reshape(from_numpy(value), ())
    return tf.fill(vector(input), fill)


@op("Range", since=11, either=("start", "limit", "delta"))
def range_(start, limit, delta, *, stash_type=1, output_type):
    """Count first, then multiply: TensorFlow's own range adds up its rounding errors."""
    bounds = [x[0] if isinstance(x, tuple) else x for x in (start, limit, delta)]
    # A bound that is known before the run is a Python number: its type is the output's.
    given = [x.dtype for x in bounds if isinstance(x, tf.Tensor)]
    dtype = to_framework(output_type) if output_type else given[0]
    wide = tf.int64 if dtype.is_integer else tf.float64
    if all(map(is_plain, bounds)):
        count = range_length(*bounds, to_onnx(dtype))
    else:
        count = _count(*(tf.reshape(number(x, dtype), ()) for x in bounds))
    start, _, delta = (tf.reshape(number(x, wide), ()) for x in bounds)
    return tf.cast(start + tf.cast(tf.range(number(count, tf.int64)), wide) * delta, dtype)


def _count(start, limit, delta):
    """Return how many numbers a `Range` has; the quotient is rounded as its type rounds it."""
    if start.dtype.is_integer:
        start, limit, delta = (tf.cast(x, tf.int64) for x in (start, limit, delta))
        return tf.maximum(-tf.math.floordiv(start - limit, delta), 0)
    if start.dtype.size == 2:
        start, limit, delta = (tf.cast(x, tf.float32) for x in (start, limit, delta))
    return tf.cast(tf.maximum(tf.math.ceil((limit - start) / delta), 0), tf.int64)


@op("EyeLike", since=9)
def eye_like(input, *, dtype=None, k=0):
    kind = input.dtype if dtype is None else to_framework(dtype)
    rows, columns = tf.unstack(tf.shape(input))
    steps = tf.range(columns)[None, :] - tf.range(rows)[:, None]
    return tf.cast(steps == k, kind)


def _seeded(function, shape, seed, **bounds):
    """A seed gives the same numbers in every run; without one they differ."""
    if seed is None:
        return function(shape, **bounds)
    stateless = {tf.random.normal: tf.random.stateless_normal}
    stateless[tf.random.uniform] = tf.random.stateless_uniform
    return stateless[function](shape, [int(seed), 0], **bounds)


@op("RandomNormal", since=1)
def random_normal(*, shape, dtype=1, mean=0.0, scale=1.0, seed=None):
    noise = _seeded(tf.random.normal, shape, seed, mean=mean, stddev=scale)
    return tf.cast(noise, to_framework(dtype))


@op("RandomNormalLike", since=1)
def random_normal_like(input, *, dtype=None, mean=0.0, scale=1.0, seed=None):
    noise = _seeded(tf.random.normal, tf.shape(input), seed, mean=mean, stddev=scale)
    return tf.cast(noise, input.dtype if dtype is None else to_framework(dtype))


@op("RandomUniform", since=1)
def random_uniform(*, shape, dtype=1, high=1.0, low=0.0, seed=None):
    noise = _seeded(tf.random.uniform, shape, seed, minval=low, maxval=high)
    return tf.cast(noise, to_framework(dtype))


@op("RandomUniformLike", since=1)
def random_uniform_like(input, *, dtype=None, high=1.0, low=0.0, seed=None):
    noise = _seeded(tf.random.uniform, tf.shape(input), seed, minval=low, maxval=high)
    return tf.cast(noise, input.dtype if dtype is None else to_framework(dtype))


@op("Bernoulli", since=15)
def bernoulli(input, *, dtype=None, seed=None):
    noise = _seeded(tf.random.uniform, tf.shape(input), seed, minval=0.0, maxval=1.0)
    kind = input.dtype if dtype is None else to_framework(dtype)
    return tf.cast(noise < tf.cast(input, tf.float32), kind)


@op("Multinomial", since=7)
def multinomial(input, *, dtype=6, sample_size=1, seed=None):
    logits = tf.cast(input, tf.float32)
    if seed is None:
        drawn = tf.random.categorical(logits, sample_size)
    else:
        drawn = tf.random.stateless_categorical(logits, sample_size, [int(seed), 0])
    return tf.cast(drawn, to_framework(dtype))
