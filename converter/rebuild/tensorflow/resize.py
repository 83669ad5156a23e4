"""Handlers of the room `tensor`: Resize in all of its modes, and Upsample.

Resize is done one axis at a time: for each output position the source coordinate, the taps around
it and their weights, as in ONNX's reference. Where TensorFlow's own kernels read the same
positions, they are used; they want the channels last, which is where `converter.graph.layout` puts
them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tensorflow as tf

from converter.rebuild.host_values import is_plain
from converter.rebuild.positions import Stretch, coordinates, slack, stretches
from converter.rebuild.tensorflow.shapes import axis_of, dims, float64, number, vector
from converter.rebuild.tensorflow.table import op


@op("Upsample", since=7)
def upsample_7(X, *, scales, mode="nearest"):
    return upsample_9(X, scales, mode=mode)


@op("Upsample", since=9, host=("scales",))
def upsample_9(X, scales, *, mode="nearest"):
    return resize_11(
        X,
        None,
        scales,
        mode=mode,
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


@op("Resize", since=10, host=("scales",))
def resize_10(X, scales, *, mode="nearest"):
    return upsample_9(X, scales, mode=mode)


@op("Resize", since=11, host=("roi", "scales", "sizes"))
def resize_11(
    X,
    roi=None,
    scales=None,
    sizes=None,
    *,
    antialias=0,
    axes=None,
    coordinate_transformation_mode="half_pixel",
    cubic_coeff_a=-0.75,
    exclude_outside=0,
    extrapolation_value=0.0,
    keep_aspect_ratio_policy="stretch",
    mode="nearest",
    nearest_mode="round_prefer_floor",
):
    mode = "linear" if mode == "bilinear" else mode
    transform = coordinate_transformation_mode
    crop = transform == "tf_crop_and_resize"
    axes = [axis_of(axis, X.shape.rank) for axis in axes or range(X.shape.rank)]
    scales, sizes, roi = (_numbers(values, len(axes)) for values in (scales, sizes, roi))
    own = [dims(X)[axis] for axis in axes]
    found = [_quotient(s) for s in stretches(own, scales, sizes, keep_aspect_ratio_policy)]
    steps = {axis: step for axis, step in zip(axes, found, strict=True) if crop or not _stays(step)}
    if not crop and not antialias and not exclude_outside:
        y = by_kernel(X, steps, mode, transform, nearest_mode)
        if y is not None:
            return y
    y = X if mode == "nearest" else tf.cast(X, _precise(X.dtype))
    for i, axis in enumerate(axes):
        if axis not in steps:
            continue
        step = steps[axis]
        span = (float64(roi[i]), float64(roi[i + len(axes)])) if crop and roi else None
        where = source_of(step, span, transform)
        if mode == "nearest":
            index, share = nearest(where, nearest_mode, slack(step)), None
        else:
            index, share = taps(where, step, mode, antialias, cubic_coeff_a, exclude_outside)
        y = _gathered(y, axis, index, share, step.size)
        if crop:
            outside = (where < 0) | (where > float64(step.size) - 1)
            outside = tf.reshape(outside, [-1] + [1] * (X.shape.rank - 1 - axis))
            y = tf.where(outside, tf.cast(float64(extrapolation_value), y.dtype), y)
    y = _back_to(y, X.dtype)
    lengths = [step.length for step in found]
    y.set_shape([length if is_plain(length) else None for length in _whole(X, axes, lengths)])
    return y


def _quotient(step):
    """Take the quotient of the sizes for a scale of run time that is this quotient in float32."""
    if step.exact or is_plain(step.scale):
        return step
    ratio = float64(step.length) / float64(step.size)
    same = tf.cast(ratio, tf.float32) == tf.cast(step.scale, tf.float32)
    return replace(step, scale=tf.where(same, ratio, step.scale))


def _stays(step):
    """Tell whether an axis is known to stay as it is."""
    return step.scale == 1 if is_plain(step.scale) else step.length is step.size


def _precise(dtype):
    """Return the type to interpolate in: float32 would round integers past 2^24."""
    return tf.float64 if dtype == tf.float64 or dtype.is_integer else tf.float32


def _numbers(values, count):
    """Return numbers for a list that may be left out, empty or a vector of ``count``."""
    if isinstance(values, tf.Tensor):
        values = tuple(tf.unstack(values, count))
    if values is None or len(values) == 0:
        return None
    return [
        tf.cast(v, tf.float64) if isinstance(v, tf.Tensor) and v.dtype.is_floating else v
        for v in values
    ]


def _whole(x, axes, lengths):
    sizes = list(dims(x))
    for axis, length in zip(axes, lengths, strict=True):
        sizes[axis] = length
    return sizes


def _back_to(y, dtype):
    if y.dtype == dtype:
        return y
    if dtype.is_integer:
        y = tf.clip_by_value(tf.round(y), float(dtype.min), float(dtype.max))
    return tf.cast(y, dtype)


# ------------------------------------------------------------------ TensorFlow's kernels


def by_kernel(x, steps, mode, transform, nearest_mode):
    """Resize a plane by a kernel of TensorFlow's that reads ONNX's positions; ``None`` for none."""
    changed, rank = set(steps), x.shape.rank
    if not changed or rank not in (3, 4) or not (changed <= {1, 2} or changed <= {2, 3}):
        return None
    kernel = None
    if mode == "linear" and x.dtype in (tf.float32, tf.float16, tf.bfloat16):
        kernel = _bilinear(steps, transform)
    elif mode == "nearest":
        kernel = _nearest(steps, transform, nearest_mode)
    if kernel is None:
        return None
    if rank == 3:
        return tf.squeeze(
            by_kernel(tf.expand_dims(x, max(changed) + 1), steps, mode, transform, nearest_mode),
            max(changed) + 1,
        )
    sizes = _whole(x, list(steps), [step.length for step in steps.values()])
    if changed <= {1, 2}:
        y = kernel(x, tf.cast(tf.stack(vector(sizes[1:3])), tf.int32))
    else:
        last = tf.transpose(x, [0, 2, 3, 1])
        y = tf.transpose(
            kernel(last, tf.cast(tf.stack(vector(sizes[2:4])), tf.int32)), [0, 3, 1, 2]
        )
    y = tf.cast(y, x.dtype)
    y.set_shape([size if is_plain(size) else None for size in sizes])
    return y


def _bilinear(steps, transform):
    if not all(step.exact for step in steps.values()):
        return None
    flags = {
        "half_pixel": (False, True),
        "align_corners": (True, False),
        "asymmetric": (False, False),
    }
    if transform not in flags:
        return None
    corners, centers = flags[transform]
    return lambda x, size: tf.raw_ops.ResizeBilinear(
        images=x, size=size, align_corners=corners, half_pixel_centers=centers
    )


_LONG = 4096


def _nearest(steps, transform, mode):
    """Compare the kernel's positions, in its own float32, with ONNX's, for every axis."""
    for centers in (False, True):
        same = True
        for step in steps.values():
            if not step.exact or not is_plain(step.scale):
                return None
            if not is_plain(step.size):  # the scale is an integer, any size will do
                step = Stretch(_LONG, int(_LONG * step.scale), step.scale, True)
            size, length = step.size, step.length
            place = np.arange(length, dtype=np.float32) + np.float32(0.5 if centers else 0)
            own = np.minimum(np.floor(place * (np.float32(size) / np.float32(length))), size - 1)
            with tf.init_scope():
                where = source_of(step, None, transform)
                wanted = tf.clip_by_value(nearest(where, mode, slack(step)), 0, size - 1).numpy()
            same &= np.array_equal(own.astype(np.int64), wanted)
        if same:
            return lambda x, size, c=centers: tf.raw_ops.ResizeNearestNeighbor(
                images=x, size=size, align_corners=False, half_pixel_centers=c
            )
    return None


# ------------------------------------------------------------------ positions and weights


def source_of(step, span, mode):
    """Return the source coordinate of each output position, ``[length]`` in float64."""
    x = tf.cast(tf.range(number(step.length, tf.int64)), tf.float64)
    numbers = Stretch(*map(float64, (step.size, step.length, step.scale)), step.exact)
    return coordinates(x, numbers, span, mode, tf.where)


def nearest(where, mode, share):
    """Round source coordinates to positions; they may be off by a share of themselves (`slack`)."""
    tie = tf.round(where * 2) / 2
    where = tf.where(tf.abs(where - tie) <= share * (1 + tf.abs(tie)), tie, where)
    rounded = {
        "floor": tf.floor,
        "ceil": tf.math.ceil,
        "round_prefer_ceil": lambda x: tf.floor(x + 0.5),
        "round_prefer_floor": lambda x: tf.math.ceil(x - 0.5),
    }[mode](where)
    return tf.cast(rounded, tf.int64)


def taps(where, step, mode, antialias, a, exclude_outside):
    """Return positions and shares, both ``[length, taps]``, of what each output is made of."""
    stretch = tf.maximum(1 / float64(step.scale), 1) if antialias else tf.ones((), tf.float64)
    count = 2 * tf.cast(tf.math.ceil((1 if mode == "linear" else 2) * stretch), tf.int64)
    base = tf.floor(where)
    offset = tf.cast(tf.range(count) - count // 2 + 1, tf.float64)
    distance = tf.abs((where - base)[:, None] - offset) / stretch
    share = tf.maximum(1 - distance, 0) if mode == "linear" else cubic(distance, a)
    index = tf.cast(base[:, None] + offset, tf.int64)
    if exclude_outside:
        share = tf.where((index >= 0) & (index < number(step.size, tf.int64)), share, 0)
    if exclude_outside or antialias:
        share = tf.math.divide_no_nan(share, tf.reduce_sum(share, 1, keepdims=True))
    return index, share


def cubic(distance, a):
    """Return the cubic convolution kernel (Keys 1981) at a distance."""
    d = distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return tf.where(d <= 1, near, tf.where(d < 2, far, tf.zeros_like(d)))


def _gathered(x, axis, index, share, size):
    """Take positions along an axis, weighted with their shares if there are any."""
    picked = tf.gather(x, tf.clip_by_value(index, 0, number(size, tf.int64) - 1), axis=axis)
    if share is None:
        return picked
    rest = x.shape.rank - 1 - axis
    share = tf.reshape(tf.cast(share, x.dtype), tf.concat([tf.shape(share), [1] * rest], 0))
    return tf.reduce_sum(picked * share, axis + 1)
