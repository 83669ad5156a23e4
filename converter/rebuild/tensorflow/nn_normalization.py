"""Handlers of the room `nn`: normalization and dropout; losses have function bodies."""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild.tensorflow.shapes import dims, number, product, vector
from converter.rebuild.tensorflow.table import op


@op("BatchNormalization", since=7)
def batch_normalization_7(X, scale, B, mean, var, *, epsilon=1e-5, momentum=0.9, spatial=1):
    if not spatial:  # statistics for every single feature
        factor = scale * tf.math.rsqrt(var + number(epsilon, X.dtype))
        return ((X - mean) * factor + B,)
    return (_normalized(X, scale, B, mean, var, epsilon),)


@op("BatchNormalization", since=14)
def batch_normalization_14(
    X, scale, B, input_mean, input_var, *, epsilon=1e-5, momentum=0.9, training_mode=0
):
    if not training_mode:
        return _normalized(X, scale, B, input_mean, input_var, epsilon), input_mean, input_var
    mean, var = tf.nn.moments(X, [axis for axis in range(X.shape.rank) if axis != 1])
    y = _normalized(X, scale, B, mean, var, epsilon)
    mean, var = tf.cast(mean, input_mean.dtype), tf.cast(var, input_var.dtype)
    running_mean = input_mean * momentum + mean * (1 - momentum)
    return y, running_mean, input_var * momentum + var * (1 - momentum)


def _normalized(x, scale, bias, mean, var, epsilon):
    shape = [1, -1] + [1] * (x.shape.rank - 2) if x.shape.rank > 1 else [-1]
    scale, bias, mean, var = (
        tf.reshape(tf.cast(t, x.dtype), shape) for t in (scale, bias, mean, var)
    )
    factor = scale * tf.math.rsqrt(var + number(epsilon, x.dtype))
    return (x - mean) * factor + bias


@op("InstanceNormalization", since=6)
def instance_normalization(input, scale, B, *, epsilon=1e-5):
    mean, var = tf.nn.moments(input, list(range(2, input.shape.rank)), keepdims=True)
    shape = [1, -1] + [1] * (input.shape.rank - 2)
    normed = (input - mean) * tf.math.rsqrt(var + number(epsilon, input.dtype))
    return normed * tf.reshape(scale, shape) + tf.reshape(B, shape)


@op("LayerNormalization", since=17)
def layer_normalization(X, Scale, B=None, *, axis=-1, epsilon=1e-5, stash_type=1):
    axes = list(range(axis % X.shape.rank, X.shape.rank))
    wide = X if X.dtype in (tf.float32, tf.float64) else tf.cast(X, tf.float32)
    mean, var = tf.nn.moments(wide, axes, keepdims=True)
    inverse = tf.math.rsqrt(var + number(epsilon, wide.dtype))
    y = tf.cast((wide - mean) * inverse, X.dtype) * Scale
    return (y if B is None else y + B), mean, inverse


@op("RMSNormalization", since=23)
def rms_normalization(X, scale, *, axis=-1, epsilon=1e-5, stash_type=1):
    axes = list(range(axis % X.shape.rank, X.shape.rank))
    wide = X if X.dtype in (tf.float32, tf.float64) else tf.cast(X, tf.float32)
    square = tf.reduce_mean(tf.square(wide), axes, keepdims=True)
    normed = wide * tf.math.rsqrt(square + number(epsilon, wide.dtype))
    return tf.cast(tf.cast(normed, X.dtype) * tf.cast(scale, X.dtype), X.dtype)


def _group_normed(x, num_groups, epsilon):
    sizes = dims(x)
    grouped = tf.reshape(x, vector([sizes[0], num_groups, product(sizes[1:]) // num_groups]))
    mean, var = tf.nn.moments(grouped, [2], keepdims=True)
    return (grouped - mean) * tf.math.rsqrt(var + number(epsilon, x.dtype)), sizes


@op("GroupNormalization", since=18)
def group_normalization_18(X, scale, bias, *, epsilon=1e-5, num_groups):
    normed, sizes = _group_normed(X, num_groups, epsilon)
    return tf.reshape(normed * scale[None, :, None] + bias[None, :, None], vector(sizes))


@op("GroupNormalization", since=21)
def group_normalization_21(X, scale, bias, *, epsilon=1e-5, num_groups, stash_type=1):
    normed, sizes = _group_normed(X, num_groups, epsilon)
    shape = [1, -1] + [1] * (len(sizes) - 2)
    return tf.reshape(normed, vector(sizes)) * tf.reshape(scale, shape) + tf.reshape(bias, shape)


@op("LpNormalization", since=1)
def lp_normalization(input, *, axis=-1, p=2):
    norm = tf.norm(input, p, axis, keepdims=True)
    return tf.math.divide_no_nan(input, norm)  # ONNX gives zeros where the norm is zero


@op("LRN", since=1)
def lrn(X, *, alpha=1e-4, beta=0.75, bias=1.0, size):
    before, after = (size - 1) // 2, size // 2
    padded = tf.pad(tf.square(X), [[0, 0], [before, after]] + [[0, 0]] * (X.shape.rank - 2))
    count = dims(X)[1]
    total = tf.add_n([padded[:, i : i + count] for i in range(size)])
    return X / (bias + alpha / size * total) ** beta


@op("MeanVarianceNormalization", since=9)
def mean_variance_normalization(X, *, axes=(0, 2, 3)):
    mean = tf.reduce_mean(X, axes, True)
    deviation = tf.sqrt(tf.reduce_mean(X * X, axes, True) - mean * mean)
    return (X - mean) / (deviation + 1e-9)


@op("Dropout", since=7)
def dropout_7(data, *, ratio=0.5):
    return data, tf.ones_like(data, tf.bool)


@op("Dropout", since=12, either=("ratio", "training_mode"))
def dropout_12(data, ratio=None, training_mode=None, *, seed=None):
    on = False if training_mode is None else training_mode
    static = tf.get_static_value(on) if isinstance(on, tf.Tensor) else on
    if static is not None and not static:
        return data, tf.ones_like(data, tf.bool)
    ratio = tf.cast(0.5 if ratio is None else ratio, tf.float32)
    keep = (tf.random.uniform(tf.shape(data)) >= ratio) | ~tf.cast(on, tf.bool)
    factor = tf.where(tf.cast(on, tf.bool), 1 / (1 - ratio), 1.0)
    return tf.where(keep, data * tf.cast(factor, data.dtype), tf.zeros_like(data)), keep
