"""The largest elements."""

from __future__ import annotations

import numpy as np

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, Value


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
