"""Division towards zero, and logarithms."""

from __future__ import annotations

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, Value


@translates("TruncateDiv")
def truncate_div(write: NodeWriter, x: Value, y: Value) -> Value:
    """The quotient without its fraction; tf2onnx keeps the fraction of floats.

    ONNX has no truncation: the floor of the magnitude, with the sign put back.
    """
    quotient: Value = write.Div(x, y)
    if write.dtype(x).kind in "iu":  # ONNX's division of integers truncates
        return quotient
    truncated: Value = write.Mul(write.Sign(quotient), write.Floor(write.Abs(quotient)))
    return truncated


@translates("Log")
def log(write: NodeWriter, x: Value) -> Value:
    """The natural logarithm. tf2onnx sends float64 through float32."""
    result: Value = write.Log(x)
    return result
