"""Handlers of the room `tensor`: GridSample in all of its modes, AffineGrid.

TensorFlow has no kernel for either. Every output position is a sum over the pixels around the place
that it looks at, each read by one `tf.gather_nd`.
"""

from __future__ import annotations

from itertools import product

import tensorflow as tf

from converter.rebuild.tensorflow.resize import cubic
from converter.rebuild.tensorflow.shapes import dims, vector
from converter.rebuild.tensorflow.table import op

_MODES = {"bilinear": "linear", "linear": "linear", "nearest": "nearest"}
_MODES |= {"bicubic": "cubic", "cubic": "cubic"}


@op("GridSample", since=16)
def grid_sample(X, grid, *, align_corners=0, mode="bilinear", padding_mode="zeros"):
    """Sample ``[batch, channels, spatial...]`` at ``[batch, positions..., spatial axes]``."""
    rank, kind = X.shape.rank - 2, _MODES[mode]
    last = tf.transpose(X, [0, *range(2, rank + 2), 1])
    wide = grid if grid.dtype == tf.float64 else tf.cast(grid, tf.float32)
    places = []
    for axis in range(rank):
        size = tf.cast(dims(X)[axis + 2], wide.dtype)
        where = wide[..., rank - 1 - axis] + 1  # the grid names the last axis first
        where = where / 2 * (size - 1) if align_corners else (where * size - 1) / 2
        where = tf.round(where) if kind == "nearest" else where
        if kind != "cubic":
            where = _inside(where, size, padding_mode, align_corners)
        places.append(_taps(where, size, kind, padding_mode, align_corners))
    result = 0
    for taps in product(*places):
        index = tf.stack([tap[0] for tap in taps], -1)
        pixels = tf.gather_nd(last, index, batch_dims=1)
        share = tf.reduce_prod(tf.stack([tap[1] for tap in taps], -1), -1, keepdims=True)
        result = result + pixels * tf.cast(share, X.dtype)
    return tf.transpose(result, [0, rank + 1, *range(1, rank + 1)])


def _inside(where, size, padding, corners):
    """Bring a position back inside as the padding mode says; zeros leave it where it is."""
    if padding == "border":
        return tf.clip_by_value(where, 0, size - 1)
    if padding == "reflection":
        return _reflected(where, size, corners)
    return where


def _reflected(where, size, corners):
    half = 0.0 if corners else 0.5
    low, high = -half, size - 1 + half
    span = tf.maximum(high - low, 1e-6)
    away = tf.math.floormod(where - low, 2 * span)
    return tf.clip_by_value(low + tf.minimum(away, 2 * span - away), 0, size - 1)


def _taps(where, size, kind, padding, corners):
    """Return ``(index, share)`` of each pixel along one axis that a position is made of."""
    if kind == "nearest":
        return [_tap(where, tf.ones_like(where), size, padding, corners)]
    base = tf.floor(where)
    offsets = (0, 1) if kind == "linear" else (-1, 0, 1, 2)
    taps = []
    for offset in offsets:
        distance = tf.abs(where - base - offset)
        share = 1 - distance if kind == "linear" else cubic(distance, -0.75)
        taps.append(_tap(base + offset, share, size, padding, corners))
    return taps


def _tap(place, share, size, padding, corners):
    if padding == "reflection":
        place = _reflected(place, size, corners)
    elif padding == "zeros":
        share = tf.where((place >= 0) & (place < size), share, tf.zeros_like(share))
    return tf.cast(tf.clip_by_value(place, 0, size - 1), tf.int32), share


@op("AffineGrid", since=20, host=("size",))
def affine_grid(theta, size, *, align_corners=0):
    """Return where an affine map takes each position of ``[batch, channels, spatial...]``."""
    rank = theta.shape[-1] - 1
    size = tf.unstack(size, rank + 2) if isinstance(size, tf.Tensor) else size
    steps = [_steps(length, align_corners, theta.dtype) for length in reversed(size[2:])]
    grid = tf.meshgrid(*reversed(steps), indexing="ij")
    grid = tf.stack([*reversed(grid), tf.ones_like(grid[0])], -1)  # the last axis comes first
    flat = tf.reshape(grid, [-1, rank + 1])
    moved = tf.matmul(theta, flat[None] + tf.zeros_like(theta[:, :1]), transpose_b=True)
    moved = tf.transpose(moved, [0, 2, 1])
    return tf.reshape(moved, vector([size[0], *size[2:], rank]))


def _steps(length, corners, dtype):
    length = tf.cast(length, dtype)
    steps = tf.range(length, dtype=dtype)
    if corners:
        return tf.where(length > 1, 2 * steps / tf.maximum(length - 1, 1) - 1, tf.zeros_like(steps))
    return (2 * steps + 1) / length - 1
