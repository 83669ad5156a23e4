"""Fake quantization: numbers rounded to the steps of an integer type, and back.

TensorFlow moves the range so that 0 lies on a step (Jacob et al. 2018): ``nudged``.
"""

from __future__ import annotations

import numpy as np

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, Value


@translates("FakeQuantWithMinMaxArgs")
def fake_quantize_args(write: NodeWriter, x: Value) -> Value:
    """Round to steps between two attributes."""
    low, high = (np.array(write.attribute(name), np.float32) for name in ("min", "max"))
    return stepped(write, x, low, high)


@translates("FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel")
def fake_quantize(write: NodeWriter, x: Value, low: Value, high: Value) -> Value:
    """Round to steps between two inputs, one pair for all or one for each channel."""
    return stepped(write, x, low, high)


def stepped(write: NodeWriter, x: Value, low: Value, high: Value) -> Value:
    """Clamp to the nudged range and round to its steps; 0 where both ends are 0."""
    first = np.float32(1 if write.attribute("narrow_range", 0) else 0)
    last = np.float32(2 ** int(write.attribute("num_bits", 8)) - 1)
    zero, half = np.float32(0), np.float32(0.5)
    scale = write.Div(write.Sub(high, low), last - first)
    empty = write.And(write.Equal(low, zero), write.Equal(high, zero))
    scale = write.Where(empty, np.float32(1), scale)
    start = write.Sub(first, write.Div(low, scale))
    nearest = write.Floor(write.Add(start, half))  # no start here is negative: halves go up
    nudged = write.Where(
        write.Less(start, first), first, write.Where(write.Greater(start, last), last, nearest)
    )
    lowest = write.Mul(write.Sub(first, nudged), scale)
    highest = write.Mul(write.Sub(last, nudged), scale)
    inside = write.Sub(write.Min(write.Max(x, lowest), highest), lowest)
    steps = write.Floor(write.Add(write.Div(inside, scale), half))
    return write.Where(empty, zero, write.Add(write.Mul(steps, scale), lowest))
