"""A graph in float16 or bfloat16."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx_ir as ir

NUMPY = {ir.DataType.FLOAT16: np.dtype(np.float16), ir.DataType.BFLOAT16: ml_dtypes.bfloat16}
WIDE = {("Resize", 1), ("Resize", 2), ("Upsample", 1)}
"""Inputs that the standard wants in float32, by operator and place."""


def narrowed(model: ir.Model, dtype: ir.DataType) -> ir.Model:
    """Return a copy of a graph in which what was float32 is float16 or bfloat16.

    Constants beyond the range of the type become its largest numbers.
    """
    copy = model.clone()
    graph = copy.graph
    for value in list(graph.initializers.values()):
        if value.const_value is not None and value.const_value.dtype == ir.DataType.FLOAT:
            _narrow_initializer(value, dtype)
    for value in (*graph.inputs, *graph.outputs):
        if value.dtype == ir.DataType.FLOAT:
            value.type = ir.TensorType(dtype)
    outputs = {id(value) for value in graph.outputs}
    for node in list(graph.all_nodes()):
        for value in node.outputs:
            if id(value) not in outputs and value.dtype == ir.DataType.FLOAT:
                value.type = ir.TensorType(dtype)
        _narrow_attributes(node, dtype)
    return copy


def _narrow_initializer(value: ir.Value, dtype: ir.DataType) -> None:
    assert value.const_value is not None
    kept = [(node, index) for node, index in value.uses() if (node.op_type, index) in WIDE]
    if kept:
        assert value.graph is not None
        wide = ir.Value(name=f"{value.name}.float32", shape=value.shape, type=value.type,
                        const_value=ir.tensor(value.const_value.numpy()))  # fmt: skip
        value.graph.register_initializer(wide)
        for node, index in kept:
            node.replace_input_with(index, wide)
    value.const_value = _tensor(value.const_value, dtype)
    value.type = ir.TensorType(dtype)


def _narrow_attributes(node: ir.Node, dtype: ir.DataType) -> None:
    for name, attribute in list(node.attributes.items()):
        if name in ("to", "dtype") and attribute.value == int(ir.DataType.FLOAT):
            node.attributes[name] = ir.AttrInt64(name, int(dtype))
        elif attribute.type == ir.AttributeType.TENSOR:
            tensor = attribute.as_tensor()
            if tensor.dtype == ir.DataType.FLOAT:
                node.attributes[name] = ir.AttrTensor(name, _tensor(tensor, dtype))
        elif attribute.type == ir.AttributeType.GRAPH:
            for value in attribute.as_graph().inputs:
                if value.dtype == ir.DataType.FLOAT:
                    value.type = ir.TensorType(dtype)
    if node.op_type == "Constant" and ("value_float" in node.attributes):
        number = node.attributes.pop("value_float").as_float()
        made = _tensor(ir.tensor(np.array(number, np.float32)), dtype)
        node.attributes["value"] = ir.AttrTensor("value", made)
    elif node.op_type == "ConstantOfShape" and "value" not in node.attributes:
        zero = _tensor(ir.tensor(np.zeros(1, np.float32)), dtype)
        node.attributes["value"] = ir.AttrTensor("value", zero)


def _tensor(tensor: ir.TensorProtocol, dtype: ir.DataType) -> ir.TensorProtocol:
    largest = float(ml_dtypes.finfo(NUMPY[dtype]).max)
    array = tensor.numpy()
    array = np.where(np.isfinite(array), np.clip(array, -largest, largest), array)
    return ir.tensor(array.astype(NUMPY[dtype]), dtype=dtype, name=tensor.name)
