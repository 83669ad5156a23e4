"""Operators that change a shape."""

from __future__ import annotations

import numpy as np

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, NotTranslated, Value


@translates("Reshape")
def reshape(write: NodeWriter, x: Value, shape: Value) -> Value:
    """Give ``x`` a shape in which a 0 is a size of 0.

    tf2onnx leaves out ``allowzero``, and a 0 of ONNX's `Reshape` then means the size that ``x``
    has there: an open dimension that is empty at run time came out as something else, or failed.
    """
    if isinstance(shape, np.ndarray) and 0 not in shape:
        plain: Value = write.Reshape(x, shape.astype(np.int64))
        return plain
    if 0 in known_sizes(write, x) or (isinstance(shape, np.ndarray) and -1 in shape):
        shape = inferred(write, x, write.index(shape))
    exact: Value = write.Reshape(x, write.cast(shape, np.int64), allowzero=1)
    return exact


def known_sizes(write: NodeWriter, x: Value) -> tuple[int | None, ...]:
    """Return the sizes of a value, none where not even their number is known."""
    try:
        return write.shape(x)
    except NotTranslated:
        return ()


def inferred(write: NodeWriter, x: Value, shape: Value) -> Value:
    """Return a shape with TensorFlow's size in place of -1, beside sizes of 0.

    What it leaves for -1 is the product of the sizes of ``x`` over that of the others. Where one
    of the others is 0, sizes of 0 do not count, neither there nor here.
    """
    one = np.array(1, np.int64)
    empty = write.Equal(write.ReduceMin(write.Abs(shape), keepdims=0), np.array(0, np.int64))
    sizes = write.sizes(x) if write.rank(x) else np.array([1], np.int64)
    counted = write.Where(write.And(empty, write.Equal(sizes, np.array(0, np.int64))), one, sizes)
    known = write.Where(write.LessOrEqual(shape, np.array(0, np.int64)), one, shape)
    left = write.Div(write.ReduceProd(counted, keepdims=0), write.ReduceProd(known, keepdims=0))
    return write.Where(write.Less(shape, np.array(0, np.int64)), left, shape)


@translates("Squeeze")
def squeeze(write: NodeWriter, x: Value) -> Value:
    """Without axes of size 1; all of them if none is named, which an open size decides in a run.

    tf2onnx looks at the known sizes alone.
    """
    axes = write.attribute("squeeze_dims")
    dropped: Value = write.Squeeze(x, list(axes)) if axes else write.Squeeze(x)
    return dropped
