"""What PyTorch calls the types of elements."""

from __future__ import annotations

import onnx_ir as ir

from converter.source.errors import NotWritable

WORDS = {
    ir.DataType.FLOAT: "torch.float32", ir.DataType.DOUBLE: "torch.float64",
    ir.DataType.FLOAT16: "torch.float16", ir.DataType.BFLOAT16: "torch.bfloat16",
    ir.DataType.INT64: "torch.int64", ir.DataType.INT32: "torch.int32",
    ir.DataType.BOOL: "torch.bool", ir.DataType.UINT8: "torch.uint8",
    ir.DataType.INT8: "torch.int8", ir.DataType.INT16: "torch.int16",
}  # fmt: skip


def word(dtype: ir.DataType | None) -> str:
    """Return PyTorch's name of a type of elements.

    Raises:
        NotWritable: it is not known, or PyTorch has none that computes.
    """
    if dtype is None or dtype not in WORDS:
        raise NotWritable(f"values of type {dtype.name.lower() if dtype else 'unknown'}")
    return WORDS[dtype]
