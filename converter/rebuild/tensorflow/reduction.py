"""Handlers of the room `reduction`.

Axes were an attribute first and became an input later (opset 13 for `ReduceSum`, 18 for the rest);
`_reducer` makes both from one function of ``(tensor, axes, keepdims)``.
"""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild.tensorflow.shapes import dims
from converter.rebuild.tensorflow.table import op

_WIDER = {tf.uint8: tf.int32, tf.uint16: tf.int32, tf.uint32: tf.int64, tf.uint64: tf.int64}
_WIDER |= {tf.int8: tf.int32, tf.int16: tf.int32}
# TensorFlow adds up 16-bit floats in 16 bits, where the mean of 96 times 10,000 is infinite.
_WIDER |= {tf.float16: tf.float32, tf.bfloat16: tf.float32}


def _mean(x, axes, keep):
    if x.dtype.is_integer:
        return tf.cast(tf.reduce_mean(tf.cast(x, tf.float64), axes, keep), x.dtype)
    return tf.reduce_mean(x, axes, keep)


def _root(x):
    return tf.cast(tf.sqrt(tf.cast(x, tf.float64)), x.dtype) if x.dtype.is_integer else tf.sqrt(x)


def _log(x):
    return (
        tf.cast(tf.math.log(tf.cast(x, tf.float64)), x.dtype)
        if x.dtype.is_integer
        else tf.math.log(x)
    )


def _extreme(all_or_any, numbers):
    def reduce(x, axes, keep):
        return all_or_any(x, axes, keep) if x.dtype == tf.bool else numbers(x, axes, keep)

    return reduce


_REDUCTIONS = {
    "ReduceSum": (tf.reduce_sum, 13),
    "ReduceMean": (_mean, 18),
    "ReduceMax": (_extreme(tf.reduce_any, tf.reduce_max), 18),
    "ReduceMin": (_extreme(tf.reduce_all, tf.reduce_min), 18),
    "ReduceProd": (tf.reduce_prod, 18),
    "ReduceL1": (lambda x, axes, keep: tf.reduce_sum(tf.abs(x), axes, keep), 18),
    "ReduceL2": (lambda x, axes, keep: _root(tf.reduce_sum(x * x, axes, keep)), 18),
    "ReduceSumSquare": (lambda x, axes, keep: tf.reduce_sum(x * x, axes, keep), 18),
    "ReduceLogSum": (lambda x, axes, keep: _log(tf.reduce_sum(x, axes, keep)), 18),
    "ReduceLogSumExp": (tf.reduce_logsumexp, 18),
}


def _apply(function, data, axes, keepdims, noop):
    if isinstance(axes, tuple) and any(isinstance(axis, tf.Tensor) for axis in axes):
        axes = tf.stack(axes)
    elif isinstance(axes, tf.Tensor) and not noop:  # of open length, which may be none at all
        everything = tf.range(data.shape.rank, dtype=axes.dtype)
        axes = tf.cond(tf.size(axes) == 0, lambda: everything, lambda: axes)
    elif not isinstance(axes, tf.Tensor):
        axes = list(axes or ()) or ([] if noop else None)
    wide = tf.cast(data, _WIDER.get(data.dtype, data.dtype))
    return tf.cast(function(wide, axes, bool(keepdims)), data.dtype)


def _reducer(name, function, since):
    def with_attribute(data, *, axes=None, keepdims=1):
        return _apply(function, data, axes, keepdims, False)

    def with_input(data, axes=None, *, keepdims=1, noop_with_empty_axes=0):
        return _apply(function, data, axes, keepdims, noop_with_empty_axes)

    for handler, version in ((with_attribute, 1), (with_input, since)):
        handler.__name__ = handler.__qualname__ = f"{name}_{version}"
        handler.__doc__ = f"{name} from opset {version} on."
        globals()[handler.__name__] = handler
        op(name, since=version, host=("axes",) if version > 1 else ())(handler)


for _name, (_function, _since) in _REDUCTIONS.items():
    _reducer(_name, _function, _since)


@op("ArgMax", since=1)
def arg_max(data, *, axis=0, keepdims=1, select_last_index=0):
    return _arg(tf.argmax, data, axis, keepdims, select_last_index)


@op("ArgMin", since=1)
def arg_min(data, *, axis=0, keepdims=1, select_last_index=0):
    return _arg(tf.argmin, data, axis, keepdims, select_last_index)


def _arg(function, data, axis, keepdims, last):
    if last:
        size = tf.cast(dims(data)[axis], tf.int64)
        result = size - 1 - function(tf.reverse(data, [axis % data.shape.rank]), axis)
    else:
        result = function(data, axis)
    return tf.expand_dims(result, axis) if keepdims else result
