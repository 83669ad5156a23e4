"""Comparing and choosing, where tf2onnx computes something near it."""

from __future__ import annotations

import numpy as np

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, Value


@translates("Select", "SelectV2")
def select(write: NodeWriter, condition: Value, x: Value, y: Value) -> Value:
    """One or the other. tf2onnx multiplies by 0 and 1 beside a zero: infinity times 0 is NaN."""
    if write.operator == "Select" and write.rank(condition) == 1 and write.rank(x) > 1:
        condition = write.Unsqueeze(condition, list(range(1, write.rank(x))))
    chosen: Value = write.Where(condition, x, y)
    return chosen


@translates("Equal")
def equal(write: NodeWriter, x: Value, y: Value) -> Value:
    """Whether two are the same. tf2onnx makes integers of bfloat16."""
    if not write.attribute("incompatible_shape_error", True) and never_meet(write, x, y):
        return np.array(False)
    same: Value = write.Equal(x, y)
    return same


@translates("NotEqual")
def not_equal(write: NodeWriter, x: Value, y: Value) -> Value:
    """Whether two differ; NaN differs from itself."""
    if not write.attribute("incompatible_shape_error", True) and never_meet(write, x, y):
        return np.array(True)
    differs: Value = write.Not(write.Equal(x, y))
    return differs


def never_meet(write: NodeWriter, x: Value, y: Value) -> bool:
    """Tell whether two shapes do not broadcast, for all sizes: then ``x == y`` is one ``False``."""
    pairs = zip(reversed(write.shape(x)), reversed(write.shape(y)), strict=False)
    return any(None not in pair and 1 not in pair and pair[0] != pair[1] for pair in pairs)


@translates("Cross")
def cross(write: NodeWriter, x: Value, y: Value) -> Value:
    """The cross product of vectors of three along the last axis."""
    ahead, behind = [1, 2, 0], [2, 0, 1]

    def turned(vector: Value, order: list[int]) -> Value:
        return write.Gather(vector, order, axis=-1)

    first = write.Mul(turned(x, ahead), turned(y, behind))
    second = write.Mul(turned(x, behind), turned(y, ahead))
    product: Value = write.Sub(first, second)
    return product
