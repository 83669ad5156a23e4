"""What Keras calls the types of elements."""

from __future__ import annotations

import onnx_ir as ir

from converter.source.errors import NotWritable

WORDS = {
    ir.DataType.FLOAT: "float32", ir.DataType.DOUBLE: "float64",
    ir.DataType.FLOAT16: "float16", ir.DataType.BFLOAT16: "bfloat16",
    ir.DataType.INT64: "int64", ir.DataType.INT32: "int32", ir.DataType.BOOL: "bool",
    ir.DataType.UINT8: "uint8", ir.DataType.INT8: "int8", ir.DataType.INT16: "int16",
}  # fmt: skip


def word(dtype: ir.DataType | None) -> str:
    """Return Keras' name of a type of elements, in quotes.

    Raises:
        NotWritable: it is not known, or Keras has none that computes.
    """
    if dtype is None or dtype not in WORDS:
        raise NotWritable(f"values of type {dtype.name.lower() if dtype else 'unknown'}")
    return f'"{WORDS[dtype]}"'
