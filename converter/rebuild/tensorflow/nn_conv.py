"""Handlers of the room `nn`: convolutions in ONNX's own layout.

Each is the channels-last operator between two transpositions; `converter.graph.layout` takes these
out of a graph before it gets here, so they remain where a weight is computed at run time, or where
a caller rebuilds a graph as it is.
"""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild.tensorflow import channels_last
from converter.rebuild.tensorflow.table import op


def to_last(x):
    """``[batch, channels, spatial...]`` -> ``[batch, spatial..., channels]``."""
    return tf.transpose(x, [0, *range(2, x.shape.rank), 1])


def to_first(x):
    """Undo `to_last`."""
    return tf.transpose(x, [0, x.shape.rank - 1, *range(1, x.shape.rank - 1)])


def kernel_last(w):
    """``[a, b, spatial...]`` -> ``[spatial..., b, a]``."""
    return tf.transpose(w, [*range(2, w.shape.rank), 1, 0])


@op("Conv", since=1)
def conv(
    X,
    W,
    B=None,
    *,
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    pads=None,
    strides=None,
):
    return to_first(
        channels_last.conv(
            to_last(X),
            kernel_last(W),
            B,
            auto_pad=auto_pad,
            dilations=dilations,
            group=group,
            pads=pads,
            strides=strides,
        )
    )


@op("ConvTranspose", since=1)
def conv_transpose(
    X,
    W,
    B=None,
    *,
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    output_padding=None,
    output_shape=None,
    pads=None,
    strides=None,
):
    return to_first(
        channels_last.conv_transpose(
            to_last(X),
            kernel_last(W),
            B,
            auto_pad=auto_pad,
            dilations=dilations,
            group=group,
            output_padding=output_padding,
            output_shape=output_shape,
            pads=pads,
            strides=strides,
        )
    )


@op("ConvInteger", since=10)
def conv_integer(
    x,
    w,
    x_zero_point=None,
    w_zero_point=None,
    *,
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    pads=None,
    strides=None,
):
    # Exact in float64: the sums of products of 8-bit integers stay far below 2**53.
    x, w = tf.cast(x, tf.float64), tf.cast(w, tf.float64)
    if x_zero_point is not None:
        x = x - tf.cast(x_zero_point, tf.float64)
    if w_zero_point is not None:
        zero = tf.cast(w_zero_point, tf.float64)
        w = w - (tf.reshape(zero, [-1, *(1,) * (w.shape.rank - 1)]) if zero.shape.rank else zero)
    y = conv(x, w, auto_pad=auto_pad, dilations=dilations, group=group, pads=pads, strides=strides)
    return tf.cast(y, tf.int32)
