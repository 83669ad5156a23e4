"""Operators that change a shape."""

from __future__ import annotations

import numpy as np

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, Value


@translates("Reshape")
def reshape(write: NodeWriter, x: Value, shape: Value) -> Value:
    """Give ``x`` a shape in which a 0 is a size of 0.

    tf2onnx leaves out ``allowzero``, and a 0 of ONNX's `Reshape` then means the size that ``x``
    has there: an open dimension that is empty at run time came out as something else, or failed.
    """
    if isinstance(shape, np.ndarray) and 0 not in shape:
        plain: Value = write.Reshape(x, shape.astype(np.int64))
        return plain
    exact: Value = write.Reshape(x, write.cast(shape, np.int64), allowzero=1)
    return exact


@translates("Squeeze")
def squeeze(write: NodeWriter, x: Value) -> Value:
    """Without axes of size 1; all of them if none is named, which an open size decides in a run.

    tf2onnx looks at the known sizes alone.
    """
    axes = write.attribute("squeeze_dims")
    dropped: Value = write.Squeeze(x, list(axes)) if axes else write.Squeeze(x)
    return dropped
