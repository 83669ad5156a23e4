"""Handlers of the room `object_detection`."""

from __future__ import annotations

from itertools import product as pairs

import tensorflow as tf

from converter.rebuild.tensorflow.shapes import dims, vector
from converter.rebuild.tensorflow.signal import scalar
from converter.rebuild.tensorflow.table import op

_LIMITS = ("max_output_boxes_per_class", "iou_threshold", "score_threshold")


@op("NonMaxSuppression", since=10, host=_LIMITS)
def non_max_suppression(
    boxes,
    scores,
    max_output_boxes_per_class=None,
    iou_threshold=None,
    score_threshold=None,
    *,
    center_point_box=0,
):
    """Choose boxes greedily, by TensorFlow's kernel; ``[selected, 3]`` of batch, class and box."""
    limit = 0 if max_output_boxes_per_class is None else scalar(max_output_boxes_per_class)
    overlap = tf.cast(0.0 if iou_threshold is None else scalar(iou_threshold), tf.float32)
    lowest = float("-inf") if score_threshold is None else scalar(score_threshold)
    batch, classes, count = dims(scores)
    most = tf.cast(tf.minimum(tf.cast(limit, tf.int64), tf.cast(count, tf.int64)), tf.int32)
    corners = _corners(boxes) if center_point_box else boxes

    def choose(place):
        result = tf.raw_ops.NonMaxSuppressionV4(
            boxes=corners[place // classes],
            scores=flat[place],
            max_output_size=most,
            iou_threshold=overlap,
            score_threshold=tf.cast(lowest, tf.float32),
            pad_to_max_output_size=True,
        )
        return result.selected_indices, result.valid_outputs

    def all_chosen():
        places = tf.range(tf.cast(batch * classes, tf.int64))
        kinds = (tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.int32))
        index, found = tf.map_fn(choose, places, fn_output_signature=kinds)
        chosen = tf.where(tf.range(most) < found[:, None])
        box = tf.cast(tf.gather_nd(index, chosen), tf.int64)
        return tf.stack([chosen[:, 0] // classes, chosen[:, 0] % classes, box], 1)

    flat = tf.reshape(scores, vector([batch * classes, count]))
    # A map over no batches or classes would not know how many boxes it stacks.
    return tf.cond(tf.size(scores) == 0, lambda: tf.zeros([0, 3], tf.int64), all_chosen)


def _corners(boxes):
    """Return boxes of centre and size as smaller y, smaller x, larger y, larger x."""
    x, y, width, height = tf.unstack(boxes, axis=-1)
    return tf.stack([y - height / 2, x - width / 2, y + height / 2, x + width / 2], -1)


@op("RoiAlign", since=10)
def roi_align_10(
    X,
    rois,
    batch_indices,
    *,
    mode="avg",
    output_height=1,
    output_width=1,
    sampling_ratio=0,
    spatial_scale=1.0,
):
    return roi_align_16(
        X,
        rois,
        batch_indices,
        coordinate_transformation_mode="output_half_pixel",
        mode=mode,
        output_height=output_height,
        output_width=output_width,
        sampling_ratio=sampling_ratio,
        spatial_scale=spatial_scale,
    )


@op("RoiAlign", since=16)
def roi_align_16(
    X,
    rois,
    batch_indices,
    *,
    coordinate_transformation_mode="half_pixel",
    mode="avg",
    output_height=1,
    output_width=1,
    sampling_ratio=0,
    spatial_scale=1.0,
):
    """Sample each region bilinearly on a regular grid and pool (He et al. 2017)."""
    half_pixel = coordinate_transformation_mode == "half_pixel"
    region = rois * tf.cast(spatial_scale, rois.dtype) - (0.5 if half_pixel else 0.0)
    start, extent = region[:, :2], region[:, 2:] - region[:, :2]
    extent = extent if half_pixel else tf.maximum(extent, 1.0)
    y, y_used, y_count = _samples(start[:, 1], extent[:, 1], output_height, sampling_ratio)
    x, x_used, x_count = _samples(start[:, 0], extent[:, 0], output_width, sampling_ratio)
    last = tf.transpose(X, [0, 2, 3, 1])
    rows, columns = _taps(y, dims(X)[2]), _taps(x, dims(X)[3])
    images = tf.cast(batch_indices, tf.int32)[:, None, None]
    weighted = [_pixels(last, images, row, column) for row, column in pairs(rows, columns)]
    used = (y_used[:, :, None] & x_used[:, None, :])[..., None]
    count, _, _, channels = dims(weighted[0])
    shape = vector(
        [count, output_height, -1, output_width, tf.shape(x_used)[1] // output_width, channels]
    )
    if mode == "max":
        best = tf.reduce_max(tf.stack(weighted), 0)
        best = tf.where(used, best, best.dtype.min)
        return tf.transpose(tf.reduce_max(tf.reshape(best, shape), [2, 4]), [0, 3, 1, 2])
    total = tf.where(used, tf.add_n(weighted), 0)
    total = tf.reduce_sum(tf.reshape(total, shape), [2, 4])
    samples = tf.maximum(y_count * x_count, 1)[:, None, None, None]
    return tf.transpose(total / tf.cast(samples, total.dtype), [0, 3, 1, 2])


def _samples(start, extent, bins, ratio):
    """Return positions ``[regions, bins * samples]``, which of them count, and samples per bin."""
    size = extent / bins
    count = tf.ones_like(size) * ratio if ratio > 0 else tf.math.ceil(size)
    most = (
        tf.cast(ratio, tf.int32)
        if ratio > 0
        else tf.cast(tf.maximum(tf.reduce_max(tf.concat([count, [1.0]], 0)), 1), tf.int32)
    )
    step = tf.cast(tf.range(most), size.dtype)
    inside = (step + 0.5) / tf.maximum(count, 1)[:, None]  # [regions, samples], in bins
    where = tf.range(bins, dtype=size.dtype)[:, None] + inside[:, None]
    where = start[:, None, None] + where * size[:, None, None]
    used = tf.broadcast_to((step < count[:, None])[:, None], tf.shape(where))
    flat = [tf.shape(where)[0], bins * most]
    return tf.reshape(where, flat), tf.reshape(used, flat), count


def _taps(where, size):
    """Return ``(index, share)`` of the two pixels around each position; outside counts nothing."""
    size = tf.cast(size, where.dtype)
    inside = tf.cast((where >= -1) & (where <= size), where.dtype)
    where = tf.clip_by_value(where, 0, size - 1)
    low = tf.floor(where)
    high = tf.minimum(low + 1, size - 1)
    share = where - low
    return [
        (tf.cast(low, tf.int32), (1 - share) * inside),
        (tf.cast(high, tf.int32), share * inside),
    ]


def _pixels(images, batch, row, column):
    """Read ``[regions, rows, columns, channels]`` and scale by the shares."""
    shape = tf.concat([tf.shape(row[0]), tf.shape(column[0])[1:]], 0)
    index = [batch, row[0][:, :, None], column[0][:, None, :]]
    place = tf.stack([tf.broadcast_to(part, shape) for part in index], -1)
    share = row[1][:, :, None] * column[1][:, None, :]
    return tf.gather_nd(images, place) * tf.cast(share, images.dtype)[..., None]


@op("MaxRoiPool", since=1)
def max_roi_pool(X, rois, *, pooled_shape, spatial_scale=1.0):
    """Take the maximum over the bins of each region (Girshick 2015); an empty bin gives zero."""
    corners = tf.floor(rois[:, 1:] * tf.cast(spatial_scale, rois.dtype) + 0.5)
    rows = _bins(corners[:, 1], corners[:, 3], pooled_shape[0], dims(X)[2])
    columns = _bins(corners[:, 0], corners[:, 2], pooled_shape[1], dims(X)[3])
    lowest = X.dtype.min

    def pool(region):
        index, row, column = region
        by_row = tf.where(row[:, None, :, None], X[index][None], lowest)
        by_row = tf.reduce_max(by_row, 2)  # [bins, channels, width]
        pooled = tf.reduce_max(tf.where(column[:, None, None], by_row[None], lowest), -1)
        return tf.transpose(pooled, [2, 1, 0])

    shape = [X.shape[1], *pooled_shape]
    kind = tf.TensorSpec(shape, X.dtype)
    pooled = tf.map_fn(
        pool, (tf.cast(rois[:, 0], tf.int32), rows, columns), fn_output_signature=kind
    )
    return tf.where(pooled == lowest, tf.zeros_like(pooled), pooled)


def _bins(start, end, count, size):
    """Tell which positions each bin covers, ``[regions, count, size]``."""
    extent = tf.maximum(end - start + 1, 1)[:, None] / count
    bins, size = tf.range(count, dtype=extent.dtype), tf.cast(size, extent.dtype)
    low = tf.clip_by_value(tf.floor(bins * extent) + start[:, None], 0, size)[..., None]
    high = tf.clip_by_value(tf.math.ceil((bins + 1) * extent) + start[:, None], 0, size)[..., None]
    position = tf.range(size, dtype=extent.dtype)
    return (position >= low) & (position < high)
