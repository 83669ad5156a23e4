"""Handlers of the room `nn`: pooling in ONNX's own layout (see `nn_conv`)."""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild.tensorflow import channels_last
from converter.rebuild.tensorflow.nn_conv import to_first, to_last
from converter.rebuild.tensorflow.shapes import dims, product, vector
from converter.rebuild.tensorflow.table import op
from converter.rebuild.windows import resolve_pads, window_pads


@op("MaxPool", since=1)
def max_pool(
    X,
    *,
    auto_pad="NOTSET",
    ceil_mode=0,
    dilations=None,
    kernel_shape,
    pads=None,
    storage_order=0,
    strides=None,
    n_outputs,
):
    attributes = {
        "auto_pad": auto_pad,
        "ceil_mode": ceil_mode,
        "dilations": dilations,
        "kernel_shape": kernel_shape,
        "pads": pads,
        "strides": strides,
    }
    if n_outputs == 1:
        return (to_first(channels_last.max_pool(to_last(X), **attributes)),)
    return _max_pool_with_index(X, storage_order, **attributes)


def _max_pool_with_index(
    x, storage_order, *, auto_pad, ceil_mode, dilations, kernel_shape, pads, strides
):
    """Take the largest of each window's views and the position that it came from."""
    rank = len(kernel_shape)
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    sizes = dims(x)[2:]
    amounts = resolve_pads(sizes, kernel_shape, strides, dilations, auto_pad, pads)
    amounts = window_pads(sizes, kernel_shape, strides, dilations, amounts, ceil_mode)
    wide = tf.cast(x, tf.float64)
    position = tf.reshape(tf.range(tf.size(x, tf.int64)), tf.shape(x))
    if storage_order:  # positions count down the columns
        order = [0, 1, *reversed(range(2, rank + 2))]
        position = tf.reshape(tf.range(tf.size(x, tf.int64)), tf.gather(tf.shape(x), order))
        position = tf.transpose(position, order)
    views = []
    for tensor, fill in ((wide, float("-inf")), (position, 0)):
        padded = channels_last.pad_spatial(to_last(tensor), amounts, fill)
        views.append(channels_last.windows(padded, kernel_shape, strides, dilations))
    best = tf.argmax(views[0], 0)
    flat = [tf.transpose(v, [*range(1, v.shape.rank), 0]) for v in views]
    values, index = (tf.gather(v, best, batch_dims=best.shape.rank) for v in flat)
    return tf.cast(to_first(values), x.dtype), to_first(index)


@op("AveragePool", since=1)
def average_pool(
    X,
    *,
    auto_pad="NOTSET",
    ceil_mode=0,
    count_include_pad=0,
    dilations=None,
    kernel_shape,
    pads=None,
    strides=None,
):
    return to_first(
        channels_last.average_pool(
            to_last(X),
            auto_pad=auto_pad,
            ceil_mode=ceil_mode,
            dilations=dilations,
            pads=pads,
            count_include_pad=count_include_pad,
            kernel_shape=kernel_shape,
            strides=strides,
        )
    )


@op("LpPool", since=2)
def lp_pool(
    X,
    *,
    auto_pad="NOTSET",
    ceil_mode=0,
    dilations=None,
    kernel_shape,
    p=2,
    pads=None,
    strides=None,
):
    rank = len(kernel_shape)
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    sizes = dims(X)[2:]
    amounts = resolve_pads(sizes, kernel_shape, strides, dilations, auto_pad, pads)
    amounts = window_pads(sizes, kernel_shape, strides, dilations, amounts, ceil_mode)
    work = channels_last.pad_spatial(to_last(tf.abs(X) ** p), amounts)
    total = tf.reduce_sum(channels_last.windows(work, kernel_shape, strides, dilations), 0)
    return to_first(total ** (1 / p))


@op("GlobalAveragePool", since=1)
def global_average_pool(X):
    wide = tf.cast(X, tf.float32) if X.dtype.size < 4 else X  # as in `reduction`
    return tf.cast(tf.reduce_mean(wide, list(range(2, X.shape.rank)), True), X.dtype)


@op("GlobalMaxPool", since=1)
def global_max_pool(X):
    return tf.reduce_max(X, list(range(2, X.shape.rank)), True)


@op("GlobalLpPool", since=2)
def global_lp_pool(X, *, p=2):
    return tf.reduce_sum(tf.abs(X) ** p, list(range(2, X.shape.rank)), True) ** (1 / p)


@op("MaxUnpool", since=9, host=("output_shape",))
def max_unpool(X, I, output_shape=None, *, kernel_shape, pads=None, strides=None):
    rank = len(kernel_shape)
    strides, pads = strides or (1,) * rank, pads or (0,) * 2 * rank
    sizes = dims(X)
    natural = [
        (sizes[i + 2] - 1) * strides[i] - pads[i] - pads[i + rank] + kernel_shape[i]
        for i in range(rank)
    ]
    whole = product([sizes[0], sizes[1], *natural])
    flat = tf.scatter_nd(tf.reshape(I, [-1, 1]), tf.reshape(X, [-1]), vector([whole]))
    result = tf.reshape(flat, vector([sizes[0], sizes[1], *natural]))
    if output_shape is None:
        return result
    wanted = (
        tf.unstack(output_shape, rank + 2) if isinstance(output_shape, tf.Tensor) else output_shape
    )
    amounts = [[0, 0], [0, 0], *([0, w - n] for w, n in zip(wanted[2:], natural, strict=True))]
    return tf.pad(
        result, tf.stack([tf.stack([tf.cast(v, tf.int64) for v in row]) for row in amounts])
    )
