"""The signature that a graph itself declares."""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.state import own_outputs, state_of
from converter.signature import Signature, TensorSpec

_NAMES = {"FLOAT": "float32", "DOUBLE": "float64"}


def dtype_name(dtype: ir.DataType | None) -> str:
    """Return our name (NumPy's where it has one) of an ONNX element type."""
    if dtype is None:
        return "float32"
    return _NAMES.get(dtype.name, dtype.name.lower())


def spec_of(value: ir.Value) -> TensorSpec:
    """Describe a graph input or output."""
    shape = None
    if value.shape is not None:
        shape = tuple(
            dim if isinstance(dim, int) else (dim.value or f"{value.name}_{axis}")
            for axis, dim in enumerate(value.shape)
        )
    return TensorSpec(value.name or "", dtype_name(value.dtype), shape)


def signature_of(model: ir.Model) -> Signature:
    """Return a graph's inputs (without initializers) and outputs in order, and its state."""
    inputs = [v for v in model.graph.inputs if v.name not in model.graph.initializers]
    outputs = own_outputs(model)
    return Signature(
        tuple(map(spec_of, inputs)), tuple(map(spec_of, outputs)), state=state_of(model)
    )
