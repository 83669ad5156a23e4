"""What the interpreter reads off a graph's values and attributes, and how it writes literals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from converter.rebuild.host_values import rounded
from converter.rebuild.prepare import plain_domain


def product(dims: tuple) -> Any:
    result: Any = 1
    for dim in dims:
        result = result * dim
    return result


def role_of(value: ir.Value) -> str | None:
    return value.metadata_props.get("equiport.role")


def weight_name(value: ir.Value) -> str:
    return value.metadata_props.get("equiport.name") or value.name or ""


def constant_tensor(value: ir.Value) -> ir.TensorProtocol | None:
    """Return the tensor of an initializer or of a `Constant` node's output."""
    node = value.producer()
    if node is None:
        return value.const_value if value.is_initializer() else None
    if node.op_type != "Constant" or plain_domain(node.domain):
        return None
    return constant_attribute(node)


def constant_attribute(node: ir.Node) -> ir.TensorProtocol | None:
    (attribute,) = node.attributes.values()
    if attribute.name == "value":
        return attribute.as_tensor()
    scalar_types = {"value_int": np.int64, "value_float": np.float32}
    list_types = {"value_ints": np.int64, "value_floats": np.float32}
    if attribute.name in scalar_types | list_types:
        dtype = (scalar_types | list_types)[attribute.name]
        return ir.Tensor(np.array(attribute.value, dtype=dtype), name=node.outputs[0].name)
    if attribute.name in ("value_string", "value_strings"):
        single = attribute.name == "value_string"
        strings = [attribute.as_string()] if single else list(attribute.as_strings())
        array = np.array([text.encode() for text in strings], dtype=object)
        return ir.StringTensor(array.reshape(() if single else (-1,)), name=node.outputs[0].name)
    return None


def attribute_value(attribute: ir.Attr) -> Any:
    """Return an attribute as what a handler takes."""
    kinds = ir.AttributeType
    if attribute.type == kinds.TENSOR:
        return attribute.as_tensor().numpy()
    if attribute.type in (kinds.INTS, kinds.FLOATS, kinds.STRINGS):
        return tuple(attribute.value)
    return attribute.value


def equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and not isinstance(a, np.ndarray) and a == b


def nested(value: Any) -> Any:
    return tuple(map(nested, value)) if isinstance(value, list) else value


def is_literal(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(is_literal, value))
    return isinstance(value, bool | int | float)


def literal(value: Any) -> str:
    """Return Python text that evaluates to ``value`` (also for infinities and NaN)."""
    if isinstance(value, tuple):
        return f"({''.join(f'{literal(item)}, ' for item in value).strip()})"
    if isinstance(value, float) and not np.isfinite(value):
        return f"float('{value}')"
    return repr(value)


def round_floats(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(round_floats, value))
    return rounded(value, 1) if isinstance(value, float) else value


def trimmed(items: Sequence[Any]) -> Sequence[Any]:
    """Drop trailing ``None``."""
    items = list(items)
    while items and items[-1] is None:
        items.pop()
    return items


def element_type(value: ir.Value) -> int | None:
    return None if value.type is None else int(value.type.dtype)


def static_dims(value: ir.Value) -> tuple[int | None, ...] | None:
    if value.shape is None or not isinstance(value.type, ir.TensorType):
        return None
    return tuple(dim if isinstance(dim, int) else None for dim in value.shape)


def captured(node: ir.Node) -> set[ir.Value]:
    """Return the outer values that a node's subgraphs read."""
    captured: set[ir.Value] = set()
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            captured |= set(captured_by(attribute.as_graph()))
    return captured


def captured_by(graph: ir.Graph) -> dict[ir.Value, None]:
    own = {*graph.inputs, *graph.initializers.values()}
    read: dict[ir.Value, None] = {}
    for node in graph:
        own |= set(node.outputs)
        for value in (*node.inputs, *captured(node)):
            if value is not None and value not in own:
                read[value] = None
    for value in graph.outputs:
        if value not in own:
            read[value] = None
    return read
