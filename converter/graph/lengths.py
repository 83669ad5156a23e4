"""How long the counting 1, 2, 3, ... is that an integer input is compared with, or counts in.

``arange(size) < lengths`` makes a mask of lengths: they lie between 1 and the size. Where the size
is a dynamic dimension, the bound is its word.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from converter.graph.constants import constant_of
from converter.signature import Dim

_SAME_VALUES = frozenset({
    "Cast", "CastLike", "Expand", "Flatten", "Identity", "Reshape", "Squeeze", "Tile",
    "Transpose", "Unsqueeze",
})  # fmt: skip

_SEQUENCE_LENGTHS = {"RNN": 4, "LSTM": 4, "GRU": 4, "ReverseSequence": 1}
"""Position of the input that holds lengths."""


def counted(value: ir.Value | None) -> Dim | None:
    """Return how far a value counts: it is ``Range(0, size)`` or a constant 0, 1, ..., size - 1.

    Casts and changes of shape are looked through.

    Returns:
        The size, a word where it is a dynamic dimension; ``None`` where the value is no counting.
    """
    while value is not None:
        constant = constant_of(value)
        if constant is not None:
            return _counts(constant)
        node = value.producer()
        if node is None:
            return None
        if node.op_type == "Range":
            return _range_size(node)
        if node.op_type not in _SAME_VALUES:
            return None
        value = node.inputs[0]
    return None


def _counts(values: np.ndarray) -> int | None:
    size = values.size
    if size < 2 or max(values.shape) != size:
        return None
    return size if np.array_equal(values.reshape(-1), np.arange(size)) else None


def _range_size(node: ir.Node) -> Dim | None:
    start, step = constant_of(node.inputs[0]), constant_of(node.inputs[2])
    if start is None or step is None or start.reshape(-1)[0] != 0 or step.reshape(-1)[0] != 1:
        return None
    shape = node.outputs[0].shape
    known = None if shape is None else _dim(shape[0])
    return known if known is not None else _size(node.inputs[1])


def _size(value: ir.Value | None) -> Dim | None:
    """Return the dimension that a scalar was read from a shape as."""
    index = 0
    while value is not None:
        constant = constant_of(value)
        if constant is not None:
            return int(constant.reshape(-1)[0]) if constant.size == 1 else None
        node = value.producer()
        if node is None:
            return None
        if node.op_type == "Shape":
            source = node.inputs[0]
            shape = source.shape if source is not None else None
            start = node.attributes["start"].as_int() if "start" in node.attributes else 0
            return None if shape is None else _dim(shape[index + start])
        if node.op_type == "Gather":
            position = constant_of(node.inputs[1])
            if position is None or position.size != 1:
                return None
            index = int(position.reshape(-1)[0])
        elif node.op_type not in _SAME_VALUES:
            return None
        value = node.inputs[0]
    return None


def _dim(dim: Any) -> Dim | None:
    if isinstance(dim, int):
        return dim
    return None if dim.value is None else str(dim.value)


def sequence_size(node: ir.Node, position: int) -> Dim | None:
    """Return the longest length that an operator takes at this input, if that holds lengths."""
    if _SEQUENCE_LENGTHS.get(node.op_type) != position:
        return None
    data = node.inputs[0]
    if data is None or data.shape is None:
        return None
    axis = 0
    if node.op_type == "ReverseSequence" and "time_axis" in node.attributes:
        axis = node.attributes["time_axis"].as_int()
    elif "layout" in node.attributes:
        axis = node.attributes["layout"].as_int()
    return _dim(data.shape[axis])
