"""Handlers of the room `tensor`: shapes, slices, gathers, scatters, casts."""

from __future__ import annotations

import tensorflow as tf

from converter.rebuild import host
from converter.rebuild.tensorflow.border import FromTensor
from converter.rebuild.tensorflow.shapes import axis_of, dims, product, vector
from converter.rebuild.tensorflow.table import op


@op("Identity", since=1)
def identity(input):
    return input


@op("Shape", since=1)
def shape(data, *, start=0, end=None):
    return tf.shape(data, out_type=tf.int64)[start:end]


@op("Size", since=1)
def size(data):
    return tf.size(data, out_type=tf.int64)


@op("Reshape", since=5, host=("shape",))
def reshape(data, shape, *, allowzero=0):
    if not allowzero:
        shape = _own_for_zero(shape, data)
    return tf.reshape(data, vector(shape))


def _own_for_zero(shape, data):
    """Put the data's own size where the shape says 0."""
    if isinstance(shape, tf.Tensor):
        own = tf.shape(data, out_type=tf.int64)
        own = tf.pad(own, [[0, tf.maximum(tf.size(shape) - tf.size(own), 0)]])[: tf.size(shape)]
        return tf.where(shape == 0, own, shape)
    if not isinstance(shape, FromTensor) and 0 not in [s for s in shape if type(s) is int]:
        return shape
    own = dims(data)
    return [
        host.select(size == 0, own[i], size) if i < len(own) else size
        for i, size in enumerate(shape)
    ]


@op("Transpose", since=1)
def transpose(data, *, perm=None):
    return tf.transpose(data, perm)


@op("Squeeze", since=1)
def squeeze_1(data, *, axes=None):
    return squeeze_13(data, axes)


@op("Squeeze", since=13, host=("axes",))
def squeeze_13(data, axes=None):
    if axes is None:
        # A size that is open is taken not to be 1: the rank of a result cannot depend on it.
        axes = [axis for axis, size in enumerate(data.shape) if size == 1]
        return tf.squeeze(data, axes) if axes else data
    axes = (axes,) if isinstance(axes, int) else axes
    if isinstance(axes, tf.Tensor) or any(isinstance(axis, tf.Tensor) for axis in axes):
        return _squeeze_open(data, axes)
    return tf.squeeze(data, list(axes))


def _squeeze_open(data, axes):
    """Squeeze axes that are known at run time only; their number may tell the rank."""
    rank = data.shape.rank
    dropped = tf.math.floormod(tf.cast(tf.stack(vector(axes)), tf.int64), rank)
    keep = tf.reduce_all(tf.range(rank, dtype=tf.int64)[:, None] != dropped, 1)
    result = tf.reshape(data, tf.boolean_mask(tf.shape(data, tf.int64), keep))
    if dropped.shape[0] is not None:
        result.set_shape([None] * (rank - dropped.shape[0]))
    return result


@op("Unsqueeze", since=1)
def unsqueeze_1(data, *, axes):
    return unsqueeze_13(data, axes)


@op("Unsqueeze", since=13, host=("axes",))
def unsqueeze_13(data, axes):
    axes = (axes,) if isinstance(axes, int) else axes
    if isinstance(axes, tf.Tensor) or any(isinstance(axis, tf.Tensor) for axis in axes):
        return _unsqueeze_open(data, axes)
    rank = data.shape.rank + len(axes)
    for axis in sorted(axis_of(axis, rank) for axis in axes):
        data = tf.expand_dims(data, axis)
    return data


def _unsqueeze_open(data, axes):
    """Unsqueeze axes that are known at run time only; their number may tell the rank."""
    new = tf.reshape(tf.cast(tf.stack(vector(axes)), tf.int64), [-1])
    rank = data.shape.rank + tf.size(new, tf.int64)
    is_new = tf.reduce_any(tf.range(rank)[:, None] == tf.math.floormod(new, rank), 1)
    places = tf.cumsum(tf.cast(~is_new, tf.int32), exclusive=True)
    sizes = tf.gather(tf.pad(tf.shape(data, tf.int64), [[0, 1]]), places)
    result = tf.reshape(data, tf.where(is_new, tf.ones_like(sizes), sizes))
    if new.shape[0] is not None:
        result.set_shape([None] * (data.shape.rank + new.shape[0]))
    return result


@op("Flatten", since=1)
def flatten(input, *, axis=1):
    sizes = dims(input)
    axis = axis_of(axis, len(sizes))
    return tf.reshape(input, vector([product(sizes[:axis]), product(sizes[axis:])]))


@op("Concat", since=4)
def concat(*inputs, axis):
    return tf.concat(inputs, axis)


@op("Split", since=2)
def split_2(input, *, axis=0, split=None, n_outputs):
    return split_13(input, split, axis=axis, n_outputs=n_outputs)


@op("Split", since=13, host=("split",))
def split_13(input, split=None, *, axis=0, num_outputs=None, n_outputs):
    axis = axis_of(axis, input.shape.rank)
    if split is None:
        count, size = num_outputs or n_outputs, dims(input)[axis]
        chunk = -(-size // count)
        split = [chunk] * (count - 1) + [size - chunk * (count - 1)]
    begin, pieces = 0, []
    for length in tf.unstack(split, n_outputs) if isinstance(split, tf.Tensor) else split:
        pieces.append(_narrow(input, axis, begin, length))
        begin = begin + length
    return tuple(pieces)


def _narrow(x, axis, begin, length):
    return x[(slice(None),) * axis + (slice(begin, begin + length),)]


@op("Slice", since=1)
def slice_1(data, *, starts, ends, axes=None):
    return slice_10(data, starts, ends, axes)


@op("Slice", since=10, host=("starts", "ends", "axes", "steps"))
def slice_10(data, starts, ends, axes=None, steps=None):
    rank = data.shape.rank
    axes = range(len(starts)) if axes is None and isinstance(starts, tuple) else axes
    if isinstance(starts, tf.Tensor) or any(isinstance(axis, tf.Tensor) for axis in axes):
        return _slice_open_axes(data, starts, ends, axes, steps)
    steps = (1,) * len(starts) if steps is None else steps
    index = [slice(None)] * rank
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[axis_of(axis, rank)] = _python_slice(data, start, end, axis, step)
    return data[tuple(index)]


def _python_slice(data, start, end, axis, step):
    """Return a slice; ONNX clamps huge ends, and reads an end below ``-size`` as "before 0"."""
    size = dims(data)[axis]
    if all(isinstance(v, int) for v in (start, end, step)):
        if step > 0:
            return slice(start, end if end < 2**31 - 1 else None, step)
        if isinstance(size, int):
            return slice(min(start, size - 1), None if end < -size else end, step)
    size, start, end = (tf.cast(v, tf.int64) for v in (size, start, end))
    start = tf.where(start < 0, start + size, start)
    end = tf.where(end < 0, end + size, end)
    backwards = tf.cast(step, tf.int64) < 0
    start = tf.clip_by_value(start, 0, tf.where(backwards, size - 1, size))
    end = tf.clip_by_value(
        end, tf.where(backwards, tf.cast(-1, tf.int64), tf.cast(0, tf.int64)), size
    )
    # A stop of -1 would be read as "the last"; shift by -size - 1 to mean "before the first".
    end = tf.where(backwards & (end < 0), -size - 1, end)
    return slice(start, end, step)


def _slice_open_axes(data, starts, ends, axes, steps):
    """Slice along axes that are known at run time only, or not how many: a full slice, replaced."""
    rank = data.shape.rank
    size = tf.shape(data, out_type=tf.int64)
    starts, ends = (tf.cast(tf.stack(vector(v)), tf.int64) for v in (starts, ends))
    axes = tf.range(tf.size(starts, tf.int64)) if axes is None else tf.stack(vector(axes))
    steps = tf.ones_like(starts) if steps is None else tf.cast(tf.stack(vector(steps)), tf.int64)
    axes = tf.math.floormod(tf.cast(axes, tf.int64), rank)
    own = tf.gather(size, axes)
    starts, ends = (tf.where(v < 0, v + own, v) for v in (starts, ends))
    back = tf.cast(steps < 0, tf.int64)
    starts = tf.clip_by_value(starts, 0, own - back)
    ends = tf.clip_by_value(ends, -back, own)
    ends = tf.where(ends < 0, -own - 1, ends)  # -1 would be read as "the last"
    places = axes[:, None]
    begin = tf.tensor_scatter_nd_update(tf.zeros(rank, tf.int64), places, starts)
    end = tf.tensor_scatter_nd_update(size, places, ends)
    stride = tf.tensor_scatter_nd_update(tf.ones(rank, tf.int64), places, steps)
    result = tf.strided_slice(data, begin, end, stride)
    result.set_shape([None] * rank)
    return result


@op("Expand", since=8, host=("shape",))
def expand(input, shape):
    wanted = vector(shape)
    if isinstance(wanted, list) and input.shape.is_fully_defined():
        rank = max(len(wanted), input.shape.rank)
        own = [1] * (rank - input.shape.rank) + list(input.shape)
        wanted = [1] * (rank - len(wanted)) + wanted
        target = [a if b in (1, -1) else b for a, b in zip(own, wanted, strict=True)]
        return tf.broadcast_to(input, target)
    wanted = tf.cast(wanted, tf.int64)
    result = tf.broadcast_to(input, tf.broadcast_dynamic_shape(tf.shape(input, tf.int64), wanted))
    if isinstance(shape, tuple):
        result.set_shape(_broadcast_static(input.shape, shape))
    return result


def _broadcast_static(own, wanted):
    rank = max(own.rank, len(wanted))
    own = [1] * (rank - own.rank) + list(own)
    wanted = [1] * (rank - len(wanted)) + [w if isinstance(w, int) else None for w in wanted]
    return [_broadcast_dim(a, b) for a, b in zip(own, wanted, strict=True)]


def _broadcast_dim(a, b):
    """Return what two sizes broadcast to, ``None`` where that is open."""
    if a == 1 or b == 1:
        return b if a == 1 else a
    return a if b is None else b


@op("Tile", since=6, host=("repeats",))
def tile(input, repeats):
    if input.shape.rank == 0:
        return input
    if input.dtype == tf.uint16:  # no kernel
        return tf.bitcast(tf.tile(tf.bitcast(input, tf.int16), vector(repeats)), tf.uint16)
    return tf.tile(input, vector(repeats))


@op("Where", since=9)
def where(condition, X, Y):
    return tf.where(condition, X, Y)


@op("NonZero", since=9)
def non_zero(X):
    X = X if X.shape.rank else tf.reshape(X, (1,))
    return tf.transpose(tf.where(tf.not_equal(X, tf.zeros((), X.dtype))))


@op("OneHot", since=9, host=("depth",))
def one_hot(indices, depth, values, *, axis=-1):
    depth = depth[0] if isinstance(depth, tuple) else depth
    depth = tf.cast(depth, tf.int64)
    indices = tf.cast(indices, tf.int64)
    indices = tf.where(indices < 0, indices + depth, indices)
    axis = axis_of(axis, indices.shape.rank + 1)
    hot = tf.one_hot(indices, tf.cast(depth, tf.int32), True, False, axis, tf.bool)
    return tf.where(hot, values[1], values[0])


@op("Trilu", since=14, host=("k",))
def trilu(input, k=0, *, upper=1):
    k = k[0] if isinstance(k, tuple) else k
    rows, columns = dims(input)[-2:]
    rows, columns = tf.range(tf.cast(rows, tf.int64)), tf.range(tf.cast(columns, tf.int64))
    offset = columns[None, :] - rows[:, None]
    k = tf.cast(k or 0, tf.int64) if not isinstance(k, tf.Tensor) else k
    return tf.where(offset >= k if upper else offset <= k, input, tf.zeros_like(input))


@op("DepthToSpace", since=1)
def depth_to_space(input, *, blocksize, mode="DCR"):
    n, c, h, w = dims(input)
    b = blocksize
    shape = [n, b, b, c // b**2, h, w] if mode == "DCR" else [n, c // b**2, b, b, h, w]
    order = [0, 3, 4, 1, 5, 2] if mode == "DCR" else [0, 1, 4, 2, 5, 3]
    blocks = tf.transpose(tf.reshape(input, vector(shape)), order)
    return tf.reshape(blocks, vector([n, c // b**2, h * b, w * b]))


@op("SpaceToDepth", since=1)
def space_to_depth(input, *, blocksize, mode="DCR"):
    n, c, h, w = dims(input)
    b = blocksize
    blocks = tf.reshape(input, vector([n, c, h // b, b, w // b, b]))
    blocks = tf.transpose(blocks, [0, 3, 5, 1, 2, 4] if mode == "DCR" else [0, 1, 3, 5, 2, 4])
    return tf.reshape(blocks, vector([n, c * b * b, h // b, w // b]))


@op("ReverseSequence", since=10)
def reverse_sequence(input, sequence_lens, *, batch_axis=1, time_axis=0):
    return tf.reverse_sequence(input, sequence_lens, time_axis, batch_axis)


@op("Unique", since=11)
def unique(X, *, axis=None, sorted=1):
    axis, work = (0, tf.reshape(X, [-1])) if axis is None else (axis_of(axis, X.shape.rank), X)
    kept, inverse = tf.raw_ops.UniqueV2(x=work, axis=[axis], out_idx=tf.int64)
    kept.set_shape([None if i == axis else size for i, size in enumerate(work.shape)])
    count = tf.shape(kept, tf.int64)[axis]
    steps = tf.range(tf.size(inverse, tf.int64))
    first = tf.math.unsorted_segment_min(steps, inverse, count)
    counts = tf.math.unsorted_segment_sum(tf.ones_like(steps), inverse, count)
    if sorted:
        order = _row_order(kept, axis)
        kept = tf.gather(kept, order, axis=axis)
        first, counts = tf.gather(first, order), tf.gather(counts, order)
        inverse = tf.gather(tf.argsort(order, stable=True), inverse)
    return kept, first, tf.cast(inverse, tf.int64), counts


def _row_order(x, axis):
    """Return the order that sorts slices along ``axis`` lexicographically."""
    if x.dtype == tf.string:
        raise NotImplementedError("Unique that sorts strings")
    x = tf.cast(x, tf.int64) if x.dtype.is_integer or x.dtype == tf.bool else x
    rows = tf.transpose(x, [axis, *(i for i in range(x.shape.rank) if i != axis)])
    rows = tf.reshape(rows, [tf.shape(rows)[0], tf.reduce_prod(tf.shape(rows)[1:])])

    def by_column(column, order):
        return column - 1, tf.gather(
            order, tf.argsort(tf.gather(rows[:, column], order), stable=True)
        )

    state = (tf.shape(rows)[1] - 1, tf.range(tf.shape(rows)[0]))
    invariants = (tf.TensorShape([]), tf.TensorShape([None]))
    return tf.while_loop(lambda column, _: column >= 0, by_column, state, invariants)[1]


@op("Compress", since=9)
def compress(input, condition, *, axis=None):
    work = tf.reshape(input, [-1]) if axis is None else input
    chosen = tf.where(condition)[:, 0]
    return tf.gather(work, chosen, axis=axis or 0)


@op("Pad", since=2)
def pad_2(data, *, pads, mode="constant", value=0.0):
    return pad_11(data, pads, tf.cast(value, data.dtype), mode=mode)


@op("Pad", since=11, host=("pads", "axes"))
def pad_11(data, pads, constant_value=None, axes=None, *, mode="constant"):
    amounts = _amounts(pads, axes, data.shape.rank)
    static = all(isinstance(size, int) for pair in amounts for size in pair)
    if not static or any(size < 0 for pair in amounts for size in pair):
        data = _cropped(data, amounts)
        amounts = [[host.maximum(size, 0) for size in pair] for pair in amounts]
    if mode == "constant":
        return _pad_constant(data, amounts, constant_value)
    for axis, (begin, end) in enumerate(amounts):
        if not (type(begin) is type(end) is int and begin == end == 0):
            data = _pad_axis(data, axis, begin, end, mode)
    return data


def _amounts(pads, axes, rank):
    """Return ``[begin, end]`` for every axis of the data."""
    if isinstance(pads, tf.Tensor):  # a vector of open length; it is as long as the axes
        pads = tf.unstack(pads, 2 * (rank if axes is None else len(axes)))
    count = len(pads) // 2
    axes = range(count) if axes is None else axes
    axes = tf.unstack(axes, count) if isinstance(axes, tf.Tensor) else axes
    if not any(isinstance(axis, tf.Tensor) for axis in axes):
        pairs = {axis_of(axis, rank): [pads[i], pads[i + count]] for i, axis in enumerate(axes)}
        return [pairs.get(axis, [0, 0]) for axis in range(rank)]
    hot = tf.one_hot(
        tf.stack([tf.cast(axis, tf.int64) % rank for axis in axes]), rank, dtype=tf.int64
    )
    sides = [
        tf.stack([tf.cast(p, tf.int64) for p in part]) for part in (pads[:count], pads[count:])
    ]
    columns = [tf.unstack(tf.linalg.matvec(hot, side, True), rank) for side in sides]
    return [list(pair) for pair in zip(*columns, strict=True)]


def _cropped(data, amounts):
    """Cut off what negative padding asks for."""
    sizes = dims(data)
    begins = [host.maximum(-begin, 0) for begin, _ in amounts]
    ends = [size - host.maximum(-end, 0) for size, (_, end) in zip(sizes, amounts, strict=True)]
    return data[tuple(slice(b, e) for b, e in zip(begins, ends, strict=True))]


def _pad_constant(data, amounts, value):
    if any(isinstance(size, tf.Tensor) for pair in amounts for size in pair):
        amounts = tf.stack([tf.stack([tf.cast(v, tf.int64) for v in pair]) for pair in amounts])
    fill = tf.zeros((), data.dtype) if value is None else tf.reshape(value, ())
    if data.dtype == tf.bool:
        padded = tf.pad(tf.cast(data, tf.uint8), amounts, constant_values=tf.cast(fill, tf.uint8))
        return tf.cast(padded, tf.bool)
    return tf.pad(data, amounts, constant_values=tf.cast(fill, data.dtype))


def _pad_axis(data, axis, begin, end, mode):
    size = tf.cast(dims(data)[axis], tf.int64)
    steps = tf.range(-tf.cast(begin, tf.int64), size + tf.cast(end, tf.int64))
    if mode == "edge":
        steps = tf.clip_by_value(steps, 0, size - 1)
    elif mode == "wrap":
        steps = tf.math.floormod(steps, size)
    else:
        period = tf.maximum(2 * (size - 1), 1)
        steps = tf.math.floormod(steps, period)
        steps = tf.where(steps >= size, period - steps, steps)
    return tf.gather(data, steps, axis=axis)


@op("CenterCropPad", since=18, host=("shape",))
def center_crop_pad(input_data, shape, *, axes=None):
    rank = input_data.shape.rank
    axes = range(rank) if axes is None else axes
    shape = tf.unstack(shape, len(axes)) if isinstance(shape, tf.Tensor) else shape
    for axis, wanted in zip(axes, shape, strict=True):
        axis = axis_of(axis, rank)
        size, wanted = tf.cast(dims(input_data)[axis], tf.int64), tf.cast(wanted, tf.int64)
        cut, add = tf.maximum(size - wanted, 0), tf.maximum(wanted - size, 0)
        input_data = _narrow(input_data, axis, cut // 2, tf.minimum(size, wanted))
        amounts = [[0, 0] for _ in range(rank)]
        amounts[axis] = [add // 2, add - add // 2]
        input_data = tf.pad(input_data, tf.stack([tf.cast(row, tf.int64) for row in amounts]))
    return input_data
