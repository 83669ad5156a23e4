"""The largest elements, and the different ones."""

from __future__ import annotations

import numpy as np

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, NotTranslated, Value


@translates("TopKV2")
def top_k(write: NodeWriter, x: Value, k: Value) -> tuple[Value, Value]:
    """The ``k`` largest along the last axis, in their own element type.

    tf2onnx sends them through float32, which drops digits of float64 and of large integers.
    """
    own = write.dtype(x)
    narrow = own.itemsize < 4 and own != np.float16  # `TopK` takes none of them everywhere
    wide = write.cast(x, np.int32 if own.kind in "iu" else np.float32) if narrow else x
    count = write.Reshape(write.cast(k, np.int64), [-1])
    values, places = write.TopK(wide, count, axis=-1, outputs=2)
    if narrow:
        values = write.cast(values, write.element(x))
    return values, write.cast(places, np.int32)


@translates("Unique", "UniqueV2", "UniqueWithCounts", "UniqueWithCountsV2")
def unique(write: NodeWriter, x: Value, axis: Value | None = None) -> tuple[Value, ...]:
    """The different elements in the order in which they come, the place of each, and how many.

    tf2onnx sends float64 through float32, in which two numbers may be one.
    """
    along = {}
    if axis is not None:
        if not isinstance(axis, np.ndarray):
            raise NotTranslated("its axis is no constant")
        along = {"axis": int(axis.ravel()[0])} if axis.size else {}
    own = write.dtype(x)
    wide = write.cast(x, np.int64) if own.kind in "iub" and own != np.int64 else x
    values, _, places, counts = write.Unique(wide, sorted=0, outputs=4, **along)
    if wide is not x:
        values = write.cast(values, write.element(x))
    index = write.result_dtypes[1]
    return values, write.cast(places, index), write.cast(counts, index)
