"""Reductions over segments: rows with the same id are put together, ids that no row has too.

Sorted ids (`SegmentMax`) say by their last one how many segments there are, and a segment without
rows is 0 (1 for a product). Unsorted ids come with the number of segments, rows with a negative id
count nowhere, and a segment without rows keeps the reduction's starting value.
"""

from __future__ import annotations

import numpy as np

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, Value

_REDUCTIONS = {"Sum": "add", "Prod": "mul", "Max": "max", "Min": "min"}


@translates("SegmentSum", "SegmentProd", "SegmentSumV2", "SegmentProdV2")
def segment_sum(write: NodeWriter, data: Value, ids: Value, *count: Value) -> Value:
    """Sum or product of each segment; of none, 0 or 1."""
    kind = write.operator.removesuffix("V2").removeprefix("Segment")
    start = write.like({"Sum": 0, "Prod": 1}[kind], data)
    return scattered(write, data, ids, segments(write, ids, *count), start, _REDUCTIONS[kind])


@translates("SegmentMax", "SegmentMin")
def segment_extreme(write: NodeWriter, data: Value, ids: Value) -> Value:
    """Largest or smallest of each segment; of none, 0."""
    kind = write.operator.removeprefix("Segment")
    number = segments(write, ids)
    found = scattered(write, data, ids, number, extreme(write, data, kind), _REDUCTIONS[kind])
    empty = write.Equal(rows_of_each(write, ids, number, data), write.like(0, data))
    return write.Where(empty, write.like(0, data), found)


@translates("SegmentMaxV2", "SegmentMinV2")
def segment_extreme_v2(write: NodeWriter, data: Value, ids: Value, count: Value) -> Value:
    """Largest or smallest of each segment; of none, the type's lowest or highest value."""
    kind = write.operator.removesuffix("V2").removeprefix("Segment")
    start = bound(write, data, kind)
    return scattered(write, data, ids, write.index(count), start, _REDUCTIONS[kind])


@translates("SegmentMean")
def segment_mean(write: NodeWriter, data: Value, ids: Value) -> Value:
    """Mean of each segment; of none, 0."""
    return divided_sum(write, data, ids, segments(write, ids), root=False)


@translates("UnsortedSegmentSum", "UnsortedSegmentProd", "UnsortedSegmentMax", "UnsortedSegmentMin")
def unsorted_segment(write: NodeWriter, data: Value, ids: Value, count: Value) -> Value:
    """Reduce each segment; of none, 0, 1, or the type's lowest or highest value."""
    kind = write.operator.removeprefix("UnsortedSegment")
    number = write.index(count)
    if kind in ("Sum", "Prod"):
        start: np.ndarray = write.like({"Sum": 0, "Prod": 1}[kind], data)
    else:
        start = bound(write, data, kind)
    axes = write.rank(ids)
    if axes != 1:
        data = write.reshape(data, write.Size(ids), write.sizes(data, axes))
        ids = write.reshape(ids, write.Size(ids))
    # A negative id would count from the end in ONNX: such rows go to one more segment, cut off.
    ids = write.index(ids)
    ids = write.Where(write.Less(ids, 0), number, ids)
    whole = scattered(write, data, ids, write.Add(number, 1), start, _REDUCTIONS[kind])
    return write.Slice(whole, [0], write.vector(number), [0])


@translates("SparseSegmentSum", "SparseSegmentSumWithNumSegments")
def sparse_segment_sum(
    write: NodeWriter, data: Value, indices: Value, ids: Value, *count: Value
) -> Value:
    """Sum of the rows that the indices choose; of none, 0."""
    rows = write.Gather(data, write.index(indices), axis=0)
    number = segments(write, ids, *count)
    return scattered(write, rows, ids, number, write.like(0, data), "add")


@translates(
    "SparseSegmentMean",
    "SparseSegmentMeanWithNumSegments",
    "SparseSegmentSqrtN",
    "SparseSegmentSqrtNWithNumSegments",
)
def sparse_segment_mean(
    write: NodeWriter, data: Value, indices: Value, ids: Value, *count: Value
) -> Value:
    """Sum of the rows that the indices choose over their number or its root; of none, 0."""
    rows = write.Gather(data, write.index(indices), axis=0)
    root = "SqrtN" in write.operator
    return divided_sum(write, rows, ids, segments(write, ids, *count), root=root)


def segments(write: NodeWriter, ids: Value, *count: Value) -> Value:
    """Return the number of segments: as given, else the last id plus one, 0 without ids."""
    if count:
        return write.index(count[0])
    last = write.Slice(write.Concat([-1], write.index(ids), axis=0), [-1], [2**62])
    return write.Squeeze(write.Add(last, 1), [0])


def scattered(
    write: NodeWriter, data: Value, ids: Value, number: Value, start: np.ndarray, reduction: str
) -> Value:
    """Reduce the rows of each id into ``number`` rows of ``start``."""
    base = write.filled(start, write.vector(number, write.sizes(data, 1)))
    places = write.Unsqueeze(write.index(ids), [-1])
    return write.ScatterND(base, places, data, reduction=reduction)


def rows_of_each(write: NodeWriter, ids: Value, number: Value, data: Value) -> Value:
    """Count the rows of each id, in the type of the data and with as many axes."""
    ones = write.filled(write.like(1, data), write.vector(write.Size(ids)))
    counts = scattered(write, ones, ids, number, write.like(0, data), "add")
    axes = list(range(1, write.rank(data)))
    return write.Unsqueeze(counts, axes) if axes else counts


def divided_sum(write: NodeWriter, data: Value, ids: Value, number: Value, *, root: bool) -> Value:
    """Sum over the number of rows, or over its root; 0 where there are none."""
    total = scattered(write, data, ids, number, write.like(0, data), "add")
    counts = write.Max(rows_of_each(write, ids, number, data), write.like(1, data))
    return write.Div(total, write.Sqrt(counts) if root else counts)


def bound(write: NodeWriter, data: Value, kind: str) -> np.ndarray:
    """Return the lowest finite value of a type for a maximum, the highest for a minimum."""
    import ml_dtypes

    dtype = write.dtype(data)
    limits = np.iinfo(dtype) if dtype.kind in "iu" else ml_dtypes.finfo(dtype)
    return np.array(limits.min if kind == "Max" else limits.max, dtype)


def extreme(write: NodeWriter, data: Value, kind: str) -> np.ndarray:
    """Return what no element is above (below): infinity where the type has it."""
    if write.dtype(data).kind in "iu":
        return bound(write, data, kind)
    return write.like(-np.inf if kind == "Max" else np.inf, data)
