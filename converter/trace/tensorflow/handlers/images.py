"""Boxes and resizing."""

from __future__ import annotations

from itertools import product

import numpy as np

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, NotTranslated, Value


@translates("CropAndResize")
def crop_and_resize(
    write: NodeWriter, image: Value, boxes: Value, which: Value, size: Value
) -> Value:
    """Resize the part of an image in each box; what lies outside of the image is a constant.

    Row ``y`` of a box from ``y1`` to ``y2`` is row ``y1 (H - 1) + y (y2 - y1) (H - 1) / (h - 1)``
    of the image, and the middle of the box where ``h`` is 1. Columns likewise.
    """
    nearest = write.attribute("method", "bilinear") == "nearest"
    beyond = np.float32(write.attribute("extrapolation_value", 0.0))
    image, size = write.cast(image, np.float32), write.index(size)
    rows, row_inside = places(
        write, boxes, 0, write.size(image, 1), write.Gather(size, np.array(0))
    )
    columns, column_inside = places(
        write, boxes, 1, write.size(image, 2), write.Gather(size, np.array(1))
    )
    rows, columns = write.Unsqueeze(rows, [2]), write.Unsqueeze(columns, [1])
    inside = write.And(write.Unsqueeze(row_inside, [2]), write.Unsqueeze(column_inside, [1]))

    def pixels(row: Value, column: Value) -> Value:
        chosen = write.reshape(write.index(which), [-1, 1, 1])
        parts = [write.Where(inside, write.index(part), 0) for part in (chosen, row, column)]
        return write.GatherND(
            image, write.Concat(*(write.Unsqueeze(p, [-1]) for p in parts), axis=-1)
        )

    if nearest:  # halves away from 0, and no place is negative
        half = np.float32(0.5)
        result = pixels(write.Floor(write.Add(rows, half)), write.Floor(write.Add(columns, half)))
    else:
        top, left = write.Floor(rows), write.Floor(columns)
        bottom, right = write.Ceil(rows), write.Ceil(columns)
        down = write.Unsqueeze(write.Sub(rows, top), [-1])
        along = write.Unsqueeze(write.Sub(columns, left), [-1])
        upper = between(write, pixels(top, left), pixels(top, right), along)
        lower = between(write, pixels(bottom, left), pixels(bottom, right), along)
        result = between(write, upper, lower, down)
    return write.Where(write.Unsqueeze(inside, [-1]), result, beyond)


def places(
    write: NodeWriter, boxes: Value, axis: int, size: Value, count: Value
) -> tuple[Value, Value]:
    """Return where in the image each row (column) of each box lies, and whether inside of it."""
    one, zero = np.float32(1), np.float32(0)
    first = write.Unsqueeze(write.Gather(boxes, np.array(axis), axis=1), [1])
    last = write.Unsqueeze(write.Gather(boxes, np.array(axis + 2), axis=1), [1])
    end = write.Sub(write.cast(size, np.float32), one)
    steps = write.Sub(write.cast(count, np.float32), one)
    scale = write.Div(write.Mul(write.Sub(last, first), end), write.Max(steps, one))
    numbers = write.Unsqueeze(write.cast(write.Range(0, count, 1), np.float32), [0])
    spread = write.Add(write.Mul(first, end), write.Mul(numbers, scale))
    middle = write.Mul(write.Mul(np.float32(0.5), write.Add(first, last)), end)
    where = write.Where(write.Greater(steps, zero), spread, middle)
    inside = write.And(write.GreaterOrEqual(where, zero), write.LessOrEqual(where, end))
    return where, inside


def between(write: NodeWriter, first: Value, second: Value, part: Value) -> Value:
    """Return what lies ``part`` of the way from one value to the other."""
    return write.Add(first, write.Mul(write.Sub(second, first), part))


@translates("NonMaxSuppression")
def non_max_suppression(write: NodeWriter, boxes: Value, scores: Value, most: Value) -> Value:
    """Indices of the boxes that are kept, best first; the threshold is an attribute."""
    return kept(
        write,
        boxes,
        scores,
        most,
        np.array(write.attribute("iou_threshold", 0.5), np.float32),
        None,
    )


@translates("NonMaxSuppressionV2", "NonMaxSuppressionV3")
def non_max_suppression_v3(
    write: NodeWriter, boxes: Value, scores: Value, most: Value, overlap: Value, *least: Value
) -> Value:
    """Indices of the boxes that are kept, best first."""
    return kept(write, boxes, scores, most, overlap, least[0] if least else None)


@translates("NonMaxSuppressionV4")
def non_max_suppression_v4(
    write: NodeWriter, boxes: Value, scores: Value, most: Value, overlap: Value, least: Value
) -> tuple[Value, Value]:
    """Indices of the boxes that are kept, padded with 0 if asked for, and their number."""
    indices = kept(write, boxes, scores, most, overlap, least)
    return padded(write, indices, most), counted(write, indices)


@translates("NonMaxSuppressionV5")
def non_max_suppression_v5(
    write: NodeWriter,
    boxes: Value,
    scores: Value,
    most: Value,
    overlap: Value,
    least: Value,
    sigma: Value,
) -> tuple[Value, Value, Value]:
    """Indices and scores of the boxes that are kept, padded with 0 if asked for; their number."""
    if write.known(sigma, "soft_nms_sigma") != 0:
        raise NotTranslated("soft suppression (soft_nms_sigma other than 0) is not in ONNX")
    indices = kept(write, boxes, scores, most, overlap, least)
    chosen = padded(write, write.Gather(scores, indices), most)
    return padded(write, indices, most), chosen, counted(write, indices)


def kept(
    write: NodeWriter,
    boxes: Value,
    scores: Value,
    most: Value,
    overlap: Value,
    least: Value | None,
) -> Value:
    """Return the indices that ONNX's operator keeps of one image and one class."""
    found = write.NonMaxSuppression(
        write.Unsqueeze(write.cast(boxes, np.float32), [0]),
        write.Unsqueeze(write.cast(scores, np.float32), [0, 1]),
        write.reshape(write.index(most), [1]),
        write.reshape(write.cast(overlap, np.float32), [1]),
        None if least is None else write.reshape(write.cast(least, np.float32), [1]),
    )
    return write.cast(write.Gather(found, np.array(2), axis=1), np.int32)


def counted(write: NodeWriter, indices: Value) -> Value:
    """Return how many there are, as int32."""
    return write.cast(write.Squeeze(write.Shape(indices), [0]), np.int32)


def padded(write: NodeWriter, values: Value, most: Value) -> Value:
    """Fill up with 0 to the largest number, where the operator says so."""
    if not write.attribute("pad_to_max_output_size", 0):
        return values
    missing = write.Sub(write.reshape(write.index(most), [1]), write.Shape(values))
    return write.Concat(values, write.filled(write.like(0, values), missing), axis=0)


@translates("ExtractImagePatches")
def extract_image_patches(write: NodeWriter, x: Value) -> Value:
    """The windows of an image, one after the other along the channels.

    tf2onnx convolves with an identity of float32, and takes an open batch for -1. Here each place
    of the window is one slice of the image.
    """
    sizes, strides, rates = (
        list(write.attribute(name))[1:3] for name in ("ksizes", "strides", "rates")
    )
    reach = [(size - 1) * rate + 1 for size, rate in zip(sizes, rates, strict=True)]
    if write.attribute("padding") == "SAME":
        pads = [same_pads(write, x, axis, reach[axis], strides[axis]) for axis in range(2)]
        (top, bottom), (left, right) = pads
        x = write.Pad(x, [0, top, left, 0, 0, bottom, right, 0], write.like(0, x))
    parts = []
    for place in product(*map(range, sizes)):
        starts = [step * rate for step, rate in zip(place, rates, strict=True)]
        behind = [whole - 1 - start for whole, start in zip(reach, starts, strict=True)]
        ends = [-rest if rest else np.iinfo(np.int64).max for rest in behind]
        parts.append(write.Slice(x, starts, ends, [1, 2], strides))
    patches: Value = write.Concat(*parts, axis=3)
    return patches


def same_pads(write: NodeWriter, x: Value, axis: int, reach: int, stride: int) -> tuple[int, int]:
    """Return the padding before and behind an axis of an image; the odd one is behind.

    Raises:
        NotTranslated: it depends on an open size.
    """
    size = write.shape(x)[axis + 1]
    if stride == 1:
        total = reach - 1
    elif size is None:
        raise NotTranslated(f"its padding depends on the open size of axis {axis + 1}")
    else:
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2
