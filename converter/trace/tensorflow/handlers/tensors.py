"""Tensors taken apart and put together, where tf2onnx has no translation or a wrong one."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, NotTranslated, Value


@translates("InvertPermutation")
def invert_permutation(write: NodeWriter, x: Value) -> Value:
    """Where each number stands."""
    size = write.size(x, 0)
    places = write.Range(0, size, 1)
    base = write.filled(0, write.vector(size))
    return write.cast(write.ScatterElements(base, write.index(x), places, axis=0), write.element(x))


@translates("BroadcastArgs")
def broadcast_args(write: NodeWriter, x: Value, y: Value) -> Value:
    """Broadcast two shapes: ones before the shorter, then the size that is not 1 on each axis."""
    ranks = [write.Shape(shape) for shape in (x, y)]
    rank = write.Max(*ranks)
    first, second = (
        write.Concat(write.Expand(write.like(1, shape), write.Sub(rank, own)), shape, axis=0)
        for shape, own in zip((x, y), ranks, strict=True)
    )
    return write.Where(write.Equal(first, write.like(1, x)), second, first)


@translates("Bucketize")
def bucketize(write: NodeWriter, x: Value) -> Value:
    """How many boundaries are not above each element."""
    boundaries = np.array(write.attribute("boundaries"), np.float32)
    above = write.GreaterOrEqual(write.Unsqueeze(write.cast(x, np.float32), [-1]), boundaries)
    return write.ReduceSum(write.cast(above, np.int32), [-1], keepdims=0)


@translates("LowerBound", "UpperBound")
def bound(write: NodeWriter, sequence: Value, values: Value) -> Value:
    """How many elements of a sorted row are below (not above) each value; rows by rows."""
    compare = write.Less if write.operator == "LowerBound" else write.LessOrEqual
    before = compare(write.Unsqueeze(sequence, [-2]), write.Unsqueeze(values, [-1]))
    return write.cast(
        write.ReduceSum(write.index(before), [-1], keepdims=0), write.result_dtypes[0]
    )


@translates("ScatterNd")
def scatter_nd(write: NodeWriter, places: Value, values: Value, sizes: Value) -> Value:
    """Write values into zeros; those that meet at one place add up."""
    if write.element(values) == TensorProto.STRING:
        empty = write.filled(np.array("", object), write.index(sizes))
        return write.ScatterND(empty, write.index(places), values)
    dtype = write.dtype(values)
    if dtype.kind == "b":
        raise NotTranslated("booleans that meet at one place cannot be added")
    zeros = write.filled(write.like(0, values), write.index(sizes))
    return write.ScatterND(zeros, write.index(places), values, reduction="add")


@translates("OneHot")
def one_hot(write: NodeWriter, indices: Value, depth: Value, on: Value, off: Value) -> Value:
    """One value where an axis of so many steps has the index, another elsewhere.

    A comparison: an index that is negative or too large is nowhere, and any type will do.
    """
    axis = int(write.attribute("axis", -1))
    rank = write.rank(indices)
    axis = rank if axis < 0 else axis
    steps = write.Range(0, write.reshape(write.index(depth), []), 1)
    steps = write.Reshape(steps, [-1] + [1] * (rank - axis))
    same = write.Equal(write.Unsqueeze(write.index(indices), [axis]), steps)
    return write.Where(same, on, off)


@translates("Roll")
def roll(write: NodeWriter, x: Value, shift: Value, axis: Value) -> Value:
    """Move elements along axes; what leaves at one end comes in at the other."""
    axes = write.known(axis, "the axis").reshape(-1)
    shifts = write.reshape(write.index(shift), [len(axes)])
    for index, number in enumerate(int(one) % write.rank(x) for one in axes):
        size = write.size(x, number)
        step = write.Gather(shifts, np.array([index]))
        start = write.Mod(write.Neg(step), write.Max(write.reshape(size, [1]), [1]))
        front = write.Slice(x, [0], start, [number])
        x = write.Concat(write.Slice(x, start, [2**62], [number]), front, axis=number)
    return x
