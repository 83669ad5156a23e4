"""Handlers of the room `tensor`: gathering and scattering."""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild.tensorflow.shapes import axis_of, dims
from converter.rebuild.tensorflow.table import op


@op("Gather", since=1)
def gather(data, indices, *, axis=0):
    return tf.gather(data, _positive(indices, dims(data)[axis]), axis=axis)


def _positive(indices, size):
    static = tf.get_static_value(indices)
    if static is not None and (static >= 0).all():
        return indices
    return tf.where(indices < 0, indices + tf.cast(size, indices.dtype), indices)


@op("GatherElements", since=11)
def gather_elements(data, indices, *, axis=0):
    axis = axis_of(axis, data.shape.rank)
    indices = _positive(indices, dims(data)[axis])
    return tf.gather_nd(data, _coordinates(indices, axis))


def _coordinates(indices, axis):
    """Return for each element its own coordinates, with ``axis`` replaced by ``indices``."""
    sizes = dims(indices)
    grid = []
    for i, size in enumerate(sizes):
        if i == axis:
            grid.append(indices)
            continue
        steps = tf.range(tf.cast(size, indices.dtype), dtype=indices.dtype)
        steps = tf.reshape(steps, [-1 if j == i else 1 for j in range(len(sizes))])
        grid.append(tf.broadcast_to(steps, tf.shape(indices)))
    return tf.stack(grid, -1)


@op("GatherND", since=11)
def gather_nd(data, indices, *, batch_dims=0):
    sizes = tf.shape(data)[batch_dims:][: tf.shape(indices)[-1]]
    indices = tf.where(indices < 0, indices + tf.cast(sizes, indices.dtype), indices)
    if indices.shape[-1] == 1:  # this kernel also takes data without elements
        return tf.gather(data, indices[..., 0], axis=batch_dims, batch_dims=batch_dims)
    return tf.gather_nd(data, indices, batch_dims)


_WIDER = {tf.bool: tf.int32, tf.int8: tf.int32, tf.int16: tf.int32, tf.uint8: tf.int32,
          tf.uint16: tf.int32}  # fmt: skip
"""Types for which TensorFlow can put updates in place, but not combine them with what is there.

The sum of 32 bits, cast back, is the sum in the type: both drop the upper bits.
"""

_SCATTER = {
    "none": tf.tensor_scatter_nd_update,
    "add": tf.tensor_scatter_nd_add,
    "max": tf.tensor_scatter_nd_max,
    "min": tf.tensor_scatter_nd_min,
}


@op("Scatter", since=9)
def scatter(data, indices, updates, *, axis=0):
    return scatter_elements(data, indices, updates, axis=axis)


@op("ScatterElements", since=11)
def scatter_elements(data, indices, updates, *, axis=0, reduction="none"):
    axis = axis_of(axis, data.shape.rank)
    coordinates = _coordinates(_positive(indices, dims(data)[axis]), axis)
    return _scatter(data, coordinates, updates, reduction)


@op("ScatterND", since=11)
def scatter_nd(data, indices, updates, *, reduction="none"):
    sizes = tf.cast(tf.shape(data)[: indices.shape[-1]], indices.dtype)
    return _scatter(data, tf.where(indices < 0, indices + sizes, indices), updates, reduction)


def _scatter(data, coordinates, updates, reduction):
    if 0 in [*data.shape]:  # TensorFlow's kernels refuse updates of nothing
        return data
    if coordinates.shape.rank == 1:  # and they take a list of places, not one
        coordinates, updates = coordinates[None], updates[None]
    if None in [*data.shape]:
        count = tf.where(tf.size(data) > 0, tf.shape(coordinates)[0], 0)
        coordinates, updates = coordinates[:count], updates[:count]
    if data.dtype in _WIDER and reduction != "none":
        wide = _WIDER[data.dtype]
        result = _scatter(tf.cast(data, wide), coordinates, tf.cast(updates, wide), reduction)
        return tf.cast(result, data.dtype)
    if reduction in _SCATTER:
        return _SCATTER[reduction](data, coordinates, updates)
    # TensorFlow has no product: multiply one update after another.
    depth = coordinates.shape[-1]
    rows = tf.reshape(coordinates, [-1, depth])
    factors = tf.reshape(updates, tf.concat([[-1], tf.shape(data)[depth:]], 0))

    def multiply(i, result):
        at = rows[i][None]
        return i + 1, tf.tensor_scatter_nd_update(
            result, at, tf.gather_nd(result, at) * factors[i][None]
        )

    loop = (tf.constant(0), data)
    invariants = (tf.TensorShape([]), data.shape)
    return tf.while_loop(lambda i, _: i < tf.shape(rows)[0], multiply, loop, invariants)[1]


@op("TensorScatter", since=24)
def tensor_scatter(past_cache, update, write_indices=None, *, mode="linear", axis=-2):
    axis = axis_of(axis, past_cache.shape.rank)
    length, size = tf.shape(update)[axis], tf.shape(past_cache)[axis]
    batch = tf.shape(past_cache)[0]
    start = tf.zeros(batch, tf.int32) if write_indices is None else tf.cast(write_indices, tf.int32)
    position = start[:, None] + tf.range(length)[None, :]
    position = tf.math.floormod(position, size) if mode == "circular" else position
    rank = past_cache.shape.rank
    shape = [batch if i == 0 else length if i == axis else 1 for i in range(rank)]
    position = tf.broadcast_to(tf.reshape(position, shape), tf.shape(update))
    return tf.tensor_scatter_nd_update(past_cache, _coordinates(position, axis), update)
