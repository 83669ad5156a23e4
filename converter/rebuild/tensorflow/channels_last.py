"""Spatial operators with the channels last, as TensorFlow's CPU kernels want them.

Registered in the domain ``equiport``, into which `converter.graph.layout` rewrites ONNX's own
operators: attributes as ONNX's, ``x`` as ``[batch, spatial..., channels]``, a convolution's weight
as ``[spatial..., in / group, out]``, a transposed one's as ``[spatial..., out / group, in]``.
"""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild.host_values import maximum
from converter.rebuild.tensorflow.shapes import dims, number, vector
from converter.rebuild.tensorflow.table import op
from converter.rebuild.windows import (
    nothing,
    resolve_pads,
    transposed_pads,
    window_count,
    window_pads,
)

DOMAIN = "equiport"


def pad_spatial(x, pads, value=0.0):
    """Pad the spatial axes."""
    if nothing(pads):
        return x
    amounts = [(0, 0), *pads, (0, 0)]
    if any(isinstance(p, tf.Tensor) for pair in pads for p in pair):
        amounts = tf.stack([tf.stack([tf.cast(p, tf.int64) for p in pair]) for pair in amounts])
    return tf.pad(x, amounts, constant_values=number(value, x.dtype))


@op("Conv", since=1, domain=DOMAIN)
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
    rank = X.shape.rank - 2
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    kernel = dims(W)[:rank]
    amounts = resolve_pads(dims(X)[1:-1], kernel, strides, dilations, auto_pad, pads)
    x = pad_spatial(X, amounts)
    if 0 in [*X.shape, *W.shape]:
        y = _of_nothing(x, W, strides, dilations)
    else:
        y = _convolution(x, W, strides, dilations, group)
    return y if B is None else y + B


def _of_nothing(x, w, strides, dilations):
    """Convolve what is known to hold no element: TensorFlow's kernel gives a wrong shape there."""
    counts = [
        window_count(size, k, s, d, 0, 0, 0)
        for size, k, s, d in zip(dims(x)[1:-1], dims(w), strides, dilations, strict=False)
    ]
    return tf.zeros(vector([dims(x)[0], *counts, dims(w)[-1]]), x.dtype)


def _convolution(x, w, strides, dilations, group):
    rank = x.shape.rank - 2
    if x.dtype in (tf.bfloat16, tf.float16) or x.dtype.is_integer:
        wide = tf.float64 if x.dtype.is_integer else tf.float32
        y = _convolution(tf.cast(x, wide), tf.cast(w, wide), strides, dilations, group)
        return tf.cast(y, x.dtype)
    if rank == 1:  # a plane of height 1
        y = _convolution(x[:, None], w[None], (1, *strides), (1, *dilations), group)
        return tf.squeeze(y, 1)
    if rank == 2 and group > 1 and w.shape[2] == 1 and w.shape[3] % group == 0:
        return _depthwise(x, w, strides, dilations, group)
    if group > 1:
        pairs = zip(tf.split(x, group, -1), tf.split(w, group, -1), strict=True)
        return tf.concat([_convolution(a, b, strides, dilations, 1) for a, b in pairs], -1)
    if rank == 3 and set(dilations) != {1}:
        return _dilated_3d(x, w, strides, dilations)
    if rank == 2:
        return tf.nn.conv2d(x, w, list(strides), "VALID", dilations=list(dilations))
    return tf.nn.convolution(x, w, list(strides), "VALID", dilations=list(dilations))


def _depthwise(x, w, strides, dilations, group):
    """``[h, w, 1, group * multiplier]`` -> TensorFlow's ``[h, w, group, multiplier]``."""
    h, wide = dims(w)[:2]
    kernel = tf.reshape(w, [h, wide, group, w.shape[3] // group])
    if strides[0] == strides[1] and (set(dilations) == {1} or strides[0] == 1):
        return tf.nn.depthwise_conv2d(
            x, kernel, [1, *strides, 1], "VALID", dilations=list(dilations)
        )
    # The kernel takes square strides only, and no stride beside a dilation: thin out afterwards.
    y = tf.nn.depthwise_conv2d(x, kernel, [1, 1, 1, 1], "VALID", dilations=list(dilations))
    return y[:, :: strides[0], :: strides[1]]


def _dilated_3d(x, w, strides, dilations):
    """Spread the kernel out with zeros: the CPU kernel knows no dilation in three dimensions."""
    for axis, d in enumerate(dilations):
        size = w.shape[axis]
        spread = tf.reshape(tf.range(size) * d, (-1, 1))
        moved = tf.transpose(w, [axis, *(i for i in range(5) if i != axis)])
        shape = [(size - 1) * d + 1, *moved.shape[1:]]
        wide = tf.scatter_nd(spread, moved, shape)
        order = list(range(1, 5))
        order.insert(axis, 0)
        w = tf.transpose(wide, order)
    return tf.nn.convolution(x, w, list(strides), "VALID")


@op("ConvTranspose", since=1, domain=DOMAIN)
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
    rank = X.shape.rank - 2
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    extra = output_padding or (0,) * rank
    sizes, kernel = dims(X)[1:-1], dims(W)[:rank]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    cuts = transposed_pads(sizes, reach, strides, extra, auto_pad, pads, output_shape)
    y = _transposed(X, W, strides, dilations, group, sizes, reach)
    amounts, index = [], [slice(None)]
    for whole, (begin, end), more in zip(dims(y)[1:-1], cuts, extra, strict=True):
        end = end - more
        index.append(slice(maximum(begin, 0), whole - maximum(end, 0)))
        amounts.append((maximum(-begin, 0), maximum(-end, 0)))
    y = pad_spatial(y[tuple(index)], amounts)
    return y if B is None else y + B


def _transposed(x, w, strides, dilations, group, sizes, reach):
    rank = len(reach)
    if group > 1:
        pairs = zip(tf.split(x, group, -1), tf.split(w, group, -1), strict=True)
        return tf.concat(
            [_transposed(a, b, strides, dilations, 1, sizes, reach) for a, b in pairs], -1
        )
    if x.dtype in (tf.bfloat16, tf.float16):
        wide = [tf.cast(t, tf.float32) for t in (x, w)]
        return tf.cast(_transposed(*wide, strides, dilations, 1, sizes, reach), x.dtype)
    if set(dilations) != {1}:
        w = _spread(w, dilations)
    if rank == 1:
        y = _transposed(x[:, None], w[None], (1, *strides), (1, 1), 1, (1, *sizes), (1, *reach))
        return tf.squeeze(y, 1)
    out = [(n - 1) * s + k for n, s, k in zip(sizes, strides, reach, strict=True)]
    shape = [dims(x)[0], *out, w.shape[-2]]
    if any(isinstance(size, tf.Tensor) for size in shape):
        shape = tf.stack([tf.cast(size, tf.int32) for size in shape])
    transpose = tf.nn.conv2d_transpose if rank == 2 else tf.nn.conv3d_transpose
    return transpose(x, w, shape, list(strides), "VALID")


def _spread(w, dilations):
    """Put zeros between the kernel's elements."""
    for axis, d in enumerate(dilations):
        if d == 1:
            continue
        parts = []
        for i in range(w.shape[axis]):
            piece = tf.gather(w, [i], axis=axis)
            parts.append(piece)
            if i + 1 < w.shape[axis]:
                parts += [tf.zeros_like(piece)] * (d - 1)
        w = tf.concat(parts, axis)
    return w


@op("MaxPool", since=1, domain=DOMAIN)
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
):
    rank = len(kernel_shape)
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    sizes = dims(X)[1:-1]
    amounts = resolve_pads(sizes, kernel_shape, strides, dilations, auto_pad, pads)
    amounts = window_pads(sizes, kernel_shape, strides, dilations, amounts, ceil_mode)
    dtype = X.dtype
    if dtype not in (tf.float32, tf.float64):
        X = tf.cast(X, tf.float64 if dtype.is_integer else tf.float32)
    x = pad_spatial(X, amounts, float("-inf"))
    if 0 in [*X.shape]:
        return tf.cast(_pools_of_nothing(x, kernel_shape, strides, dilations, "-inf"), dtype)
    # TensorFlow's kernel of three axes takes no float64.
    if set(dilations) == {1} and (rank < 3 or x.dtype == tf.float32):
        y = tf.nn.max_pool(x, list(kernel_shape), list(strides), "VALID")
    else:
        y = tf.reduce_max(windows(x, kernel_shape, strides, dilations), 0)
    return tf.cast(y, dtype)


@op("AveragePool", since=1, domain=DOMAIN)
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
    rank = len(kernel_shape)
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    sizes = dims(X)[1:-1]
    declared = resolve_pads(sizes, kernel_shape, strides, dilations, auto_pad, pads)
    amounts = window_pads(sizes, kernel_shape, strides, dilations, declared, ceil_mode)
    if set(dilations) == {1}:
        kernel_shape, amounts = _without_beyond(sizes, kernel_shape, declared, amounts)
    if 0 in [*X.shape]:
        fill = 0.0 if count_include_pad else "nan"
        return _pools_of_nothing(pad_spatial(X, amounts), kernel_shape, strides, dilations, fill)
    # TensorFlow's CPU kernel of three axes takes no float64.
    has_kernel = rank < 3 or X.dtype in (tf.float32, tf.bfloat16)
    if set(dilations) == {1} and nothing(amounts) and has_kernel:
        return tf.nn.avg_pool(X, list(kernel_shape), list(strides), "VALID")

    def pooled(x):
        """Return the sum of each window, or its mean: what is divided by has the same."""
        if set(dilations) == {1} and has_kernel:
            return tf.nn.avg_pool(x, list(kernel_shape), list(strides), "VALID")
        return tf.reduce_sum(windows(x, kernel_shape, strides, dilations), 0)

    ones = tf.ones_like(X[:1, ..., :1])
    beyond = amounts
    if count_include_pad:  # the declared padding counts, what ceil_mode adds does not
        ones = pad_spatial(ones, declared, 1.0)
        beyond = [(0, a[1] - d[1]) for a, d in zip(amounts, declared, strict=True)]
    return pooled(pad_spatial(X, amounts)) / pooled(pad_spatial(ones, beyond))


def _without_beyond(sizes, kernel, declared, amounts):
    """Return kernel and padding without what a single window of ``ceil_mode`` has beyond the input.

    A kernel may be far larger than what it is laid on.
    """
    kernel, amounts = list(kernel), list(amounts)
    for axis, (size, (before, behind)) in enumerate(zip(sizes, amounts, strict=True)):
        if not isinstance(size, int) or size + before + behind != kernel[axis]:
            continue
        kernel[axis] -= behind - declared[axis][1]
        amounts[axis] = (before, declared[axis][1])
    return tuple(kernel), amounts


def _pools_of_nothing(x, kernel, strides, dilations, fill):
    """Pool what holds no element but padding, of which every window has ``fill``."""
    counts = [
        window_count(size, k, s, d, 0, 0, 0)
        for size, k, s, d in zip(dims(x)[1:-1], kernel, strides, dilations, strict=True)
    ]
    return tf.fill(vector([dims(x)[0], *counts, dims(x)[-1]]), number(float(fill), x.dtype))


def windows(x, kernel, strides, dilations):
    """Return ``[positions in the window, batch, spatial..., channels]``."""
    sizes = dims(x)[1:-1]
    counts = [
        (size - (k - 1) * d - 1) // s + 1
        for size, k, s, d in zip(sizes, kernel, strides, dilations, strict=True)
    ]
    views = [()]
    for k, s, d, n in zip(kernel, strides, dilations, counts, strict=True):
        views = [(*v, slice(i * d, i * d + (n - 1) * s + 1, s)) for v in views for i in range(k)]
    return tf.stack([x[(slice(None), *view)] for view in views])


@op("BatchNormalization", since=1, domain=DOMAIN)
def batch_normalization(X, scale, B, mean, var, *, epsilon=1e-5, momentum=0.9):
    scale, B, mean, var = (tf.cast(t, X.dtype) for t in (scale, B, mean, var))
    return (X - mean) * (scale * tf.math.rsqrt(var + number(epsilon, X.dtype))) + B
