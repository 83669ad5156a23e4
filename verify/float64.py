"""A graph in float64: what it would compute if nothing were rounded."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

WIDENED = ("float32", "float16", "bfloat16")
"""What becomes float64 in a graph and must in its inputs; narrower types stay as they are."""

_NARROW = (ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16)


def in_float64(model: ir.Model) -> ir.Model:
    """Return a copy of a graph in which every float32, float16 and bfloat16 is a float64.

    Weights are converted when they are read; casts to a narrow float become casts to float64,
    so nothing in the graph rounds.
    """
    model = model.clone()
    graph = model.graph
    for value in list(graph.initializers.values()):
        if value.const_value is not None and value.const_value.dtype in _NARROW:
            value.const_value = _wide_tensor(value.const_value)
            value.type = ir.TensorType(ir.DataType.DOUBLE)
    for value in (*graph.inputs, *(v for node in graph.all_nodes() for v in node.outputs)):
        _widen_type(value)
    for node in graph.all_nodes():
        _widen_attributes(node)
    return model


def _widen_type(value: ir.Value) -> None:
    if isinstance(value.type, ir.TensorType) and value.type.dtype in _NARROW:
        value.type = ir.TensorType(ir.DataType.DOUBLE)


def _widen_attributes(node: ir.Node) -> None:
    for name, attribute in list(node.attributes.items()):
        if attribute.is_ref():
            continue
        if name in ("to", "dtype", "stash_type", "output_dtype") and attribute.type.name == "INT":
            if attribute.as_int() in [int(kind) for kind in _NARROW] and name != "stash_type":
                node.attributes[name] = ir.AttrInt64(name, int(ir.DataType.DOUBLE))
        elif attribute.type == ir.AttributeType.TENSOR:
            tensor = attribute.as_tensor()
            if tensor.dtype in _NARROW:
                node.attributes[name] = ir.AttrTensor(name, _wide_tensor(tensor))
        elif attribute.type == ir.AttributeType.GRAPH:
            for value in attribute.as_graph().inputs:
                _widen_type(value)
        elif attribute.type == ir.AttributeType.FLOAT:
            node.attributes[name] = ir.AttrFloat32(name, _in_float32(attribute.as_float()))
        elif attribute.type == ir.AttributeType.FLOATS:
            rounded = [_in_float32(number) for number in attribute.as_floats()]
            node.attributes[name] = ir.AttrFloat32s(name, rounded)
    if node.op_type == "ConstantOfShape" and "value" not in node.attributes:
        zero = ir.tensor(np.zeros(1, np.float64))
        node.attributes["value"] = ir.AttrTensor("value", zero)
    elif node.op_type == "Constant" and "value_float" in node.attributes:
        number = node.attributes.pop("value_float").as_float()
        node.attributes["value"] = ir.AttrTensor("value", ir.tensor(np.array(number, np.float64)))
    elif node.op_type == "Constant" and "value_floats" in node.attributes:
        numbers = node.attributes.pop("value_floats").as_floats()
        node.attributes["value"] = ir.AttrTensor("value", ir.tensor(np.array(numbers, np.float64)))


def _in_float32(number: float) -> float:
    """Return what a file holds of an attribute; in memory it may still be a double."""
    return float(np.float32(number))


def _wide_tensor(tensor: ir.TensorProtocol) -> ir.TensorProtocol:
    return ir.LazyTensor(
        lambda: ir.Tensor(tensor.numpy().astype(np.float64), name=tensor.name),
        dtype=ir.DataType.DOUBLE,
        shape=ir.Shape(tensor.shape.numpy()),
        name=tensor.name,
    )
