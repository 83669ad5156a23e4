"""Handlers of the room `nn`: deformable convolution, `Col2Im`."""

from __future__ import annotations

from itertools import product as pairs

import tensorflow as tf

from converter.rebuild.tensorflow.shapes import dims, product, vector
from converter.rebuild.tensorflow.table import op


@op("DeformConv", since=19)
def deform_conv(
    X,
    W,
    offset,
    B=None,
    mask=None,
    *,
    dilations=None,
    group=1,
    kernel_shape=None,
    offset_group=1,
    pads=None,
    strides=None,
):
    """Convolve at positions moved by ``offset``, scaled by ``mask`` (Zhu et al. 2018)."""
    if X.shape.rank != 4:
        raise NotImplementedError(f"DeformConv of an input of rank {X.shape.rank}")
    batch, channels, *plane = dims(X)
    out, _, *kernel = dims(W)
    sizes = dims(offset)[2:]
    taps = kernel[0] * kernel[1]
    dilations, strides, pads = dilations or (1, 1), strides or (1, 1), pads or (0, 0, 0, 0)
    where = _regular(kernel, sizes, dilations, strides, pads, X.dtype)
    moves = tf.reshape(offset, vector([batch * offset_group, taps, 2, *sizes]))
    images = tf.reshape(X, vector([batch * offset_group, channels // offset_group, *plane]))
    samples = _bilinear(images, *tf.unstack(where + moves, axis=2))
    samples = tf.reshape(samples, vector([batch, offset_group, -1, taps, *sizes]))
    if mask is not None:
        samples *= tf.reshape(mask, vector([batch, offset_group, 1, taps, *sizes]))
    columns = tf.reshape(samples, vector([batch, group, channels // group * taps, -1]))
    weight = tf.reshape(W, vector([group, out // group, -1]))
    result = tf.reshape(tf.matmul(weight[None], columns), vector([batch, out, *sizes]))
    return result if B is None else result + tf.reshape(B, [1, -1, 1, 1])


def _regular(kernel, sizes, dilations, strides, pads, dtype):
    """Return where a plain convolution looks, ``[taps, 2, height, width]``."""
    axes = []
    for axis in (0, 1):
        steps = tf.range(tf.cast(sizes[axis], dtype), dtype=dtype) * strides[axis]
        taps = tf.range(tf.cast(kernel[axis], dtype), dtype=dtype) * dilations[axis]
        axes.append(taps[:, None] + steps - pads[axis])  # [kernel, size]
    shape = vector([*kernel, *sizes])
    y = tf.broadcast_to(axes[0][:, None, :, None], shape)
    x = tf.broadcast_to(axes[1][None, :, None, :], shape)
    return tf.reshape(tf.stack([y, x], 2), vector([-1, 2, *sizes]))


def _bilinear(images, y, x):
    """Sample ``[n, channels, height, width]`` at ``[n, taps, positions...]``; outside is zero."""
    last = tf.transpose(images, [0, 2, 3, 1])
    height, width = (tf.cast(size, y.dtype) for size in dims(images)[2:])
    result = 0
    for dy, dx in pairs((0, 1), (0, 1)):
        row, column = tf.floor(y) + dy, tf.floor(x) + dx
        share = (1 - tf.abs(y - row)) * (1 - tf.abs(x - column))
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        place = [tf.clip_by_value(row, 0, height - 1), tf.clip_by_value(column, 0, width - 1)]
        pixels = tf.gather_nd(last, tf.cast(tf.stack(place, -1), tf.int32), batch_dims=1)
        result = result + pixels * tf.where(inside, share, tf.zeros_like(share))[..., None]
    return tf.transpose(result, [0, 4, 1, 2, 3])


@op("Col2Im", since=18, host=("image_shape", "block_shape"))
def col2_im(input, image_shape, block_shape, *, dilations=None, pads=None, strides=None):
    """Add up overlapping blocks: ``[N, channels * block, blocks]`` to ``[N, channels, *image]``."""
    rank = len(image_shape)
    dilations, strides = dilations or (1,) * rank, strides or (1,) * rank
    pads = pads or (0,) * 2 * rank
    whole = [size + pads[i] + pads[i + rank] for i, size in enumerate(image_shape)]
    if 0 in [*input.shape]:  # TensorFlow does not scatter nothing
        channels = dims(input)[1] // product(block_shape)
        return tf.zeros(vector([dims(input)[0], channels, *image_shape]), input.dtype)
    places = 0
    for axis, (size, k, d, s) in enumerate(
        zip(whole, block_shape, dilations, strides, strict=True)
    ):
        count = (size - d * (k - 1) - 1) // s + 1
        steps = tf.range(tf.cast(count, tf.int64)) * s
        taps = tf.range(tf.cast(k, tf.int64)) * d
        shape = [-1 if i in (axis, axis + rank) else 1 for i in range(2 * rank)]
        shape[axis], shape[axis + rank] = k, count
        places = places * size + tf.reshape(taps[:, None] + steps, vector(shape))
    batch, taps = dims(input)[0], product(block_shape)
    blocks = tf.reshape(input, vector([batch, -1, taps, dims(input)[2]]))
    values = tf.transpose(blocks, [2, 3, 0, 1])
    channels = dims(values)[3]
    summed = tf.scatter_nd(
        tf.reshape(places, [-1, 1]),
        tf.reshape(values, vector([taps * dims(input)[2], batch, channels])),
        vector([product(whole), batch, channels]),
    )
    image = tf.reshape(tf.transpose(summed, [1, 2, 0]), vector([batch, channels, *whole]))
    cut = [slice(pads[i], pads[i] + size) for i, size in enumerate(image_shape)]
    return image[(slice(None), slice(None), *cut)]
