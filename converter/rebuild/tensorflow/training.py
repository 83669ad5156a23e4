"""Handlers of the domain `ai.onnx.preview.training`: optimizers and gradients."""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild.tensorflow.table import op

DOMAIN = "ai.onnx.preview.training"


def _groups(tensors, size):
    """Regroup ``X1, X2, G1, G2, ...`` as ``(X1, G1, ...), (X2, G2, ...)``."""
    count = len(tensors) // size
    return [tensors[i::count] for i in range(count)]


def _columns(results):
    return tuple(value for column in zip(*results, strict=True) for value in column)


@op("Adagrad", since=1, domain=DOMAIN)
def adagrad(R, T, *inputs, decay_factor=0.0, epsilon=1e-6, norm_coefficient=0.0):
    rate = R / (1 + tf.cast(T, R.dtype) * decay_factor)
    results = []
    for x, g, h in _groups(inputs, 3):
        g = norm_coefficient * x + g
        h = h + g * g
        results.append((x - rate * g / (tf.sqrt(h) + epsilon), h))
    return _columns(results)


@op("Adam", since=1, domain=DOMAIN)
def adam(
    R,
    T,
    *inputs,
    alpha=0.9,
    beta=0.999,
    epsilon=1e-6,
    norm_coefficient=0.0,
    norm_coefficient_post=0.0,
):
    step = tf.cast(T, R.dtype)
    corrected = R * tf.sqrt(1 - beta**step) / (1 - alpha**step)
    rate = tf.where(T > 0, corrected, R)
    results = []
    for x, g, v, h in _groups(inputs, 4):
        g = norm_coefficient * x + g
        v = alpha * v + (1 - alpha) * g
        h = beta * h + (1 - beta) * g * g
        x = (1 - norm_coefficient_post) * (x - rate * v / (tf.sqrt(h) + epsilon))
        results.append((x, v, h))
    return _columns(results)


@op("Momentum", since=1, domain=DOMAIN)
def momentum(R, T, *inputs, alpha, beta, mode, norm_coefficient):
    factor = tf.where(T > 0, tf.cast(beta, R.dtype), tf.ones((), R.dtype))
    results = []
    for x, g, v in _groups(inputs, 3):
        g = norm_coefficient * x + g
        v = alpha * v + factor * g
        step = v if mode == "standard" else g + alpha * v
        results.append((x - R * step, v))
    return _columns(results)


@op("Gradient", since=1, domain="equiport", multiple=True)
def gradient(*values, body, count):
    """Differentiate the sum of ``body(*values)`` with respect to the first ``count`` of them."""
    xs = [tf.identity(x) for x in values[:count]]
    with tf.GradientTape() as tape:
        tape.watch(xs)
        (y,) = body(*xs, *values[count:])
    return tuple(tape.gradient(y, xs, unconnected_gradients="zero"))
