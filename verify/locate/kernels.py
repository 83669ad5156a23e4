"""Run one ONNX node by itself, on any values, with the PyTorch handlers.

A node that has a body (`If`, `Loop`, `Scan`), or no handler of its own, is rebuilt as a graph of
one node, which knows all that a whole graph knows: functions, older versions, bodies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import torch

from converter.errors import first_line
from converter.rebuild.graph_values import (
    attribute_value,
    captured,
    constant_tensor,
    element_type,
    trimmed,
)
from converter.rebuild.prepare import plain_domain, version_of
from converter.rebuild.pytorch import build, load_handlers
from converter.rebuild.pytorch.border import on_host
from converter.rebuild.pytorch.dtypes import to_onnx
from converter.rebuild.registry import Handler


class NodeFailed(Exception):
    """A node cannot be run on these values; the text says why, in one line."""


def read_values(node: ir.Node) -> list[ir.Value | None]:
    """Return what a node reads: its inputs in order, then what its bodies capture."""
    own = list(trimmed(node.inputs))
    extra = sorted(captured(node) - set(own), key=lambda value: value.name or "")
    return [*own, *extra]


def run_node(node: ir.Node, model: ir.Model, values: Sequence[Any]) -> tuple[Any, ...]:
    """Return a node's outputs, in order.

    Args:
        node: one of ``model``'s main graph.
        values: a tensor (list of tensors, array of strings, ``None``) for each of `read_values`.

    Raises:
        NodeFailed: the handler refuses the values, or there is none.
    """
    handler = load_handlers().find(plain_domain(node.domain), node.op_type, version_of(node, model))
    try:
        with torch.no_grad():
            if handler is None or _has_body(node):
                return _rebuilt(node, model, values)
            return _called(handler, node, values)
    except Exception as error:  # whatever a handler raises on values that do not fit
        raise NodeFailed(f"{type(error).__name__}: {first_line(error, 200)}") from error


def _has_body(node: ir.Node) -> bool:
    return any(a.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS)
               for a in node.attributes.values())  # fmt: skip


def _called(handler: Handler, node: ir.Node, values: Sequence[Any]) -> tuple[Any, ...]:
    arguments = [
        on_host(value) if handler.input_name(index) in handler.host else value
        for index, value in enumerate(values)
    ]
    keywords = {}
    for name, attribute in node.attributes.items():
        spelled = name if name in handler.attributes else f"{name}_"
        if spelled not in handler.attributes:
            raise NotImplementedError(f"its attribute {name!r} is not supported")
        keywords[spelled] = attribute_value(attribute)
    device = next((v.device for v in values if isinstance(v, torch.Tensor)), torch.device("cpu"))
    bound = {
        "n_outputs": len(trimmed([v if v.name else None for v in node.outputs])),
        "device": device,
        "training": False,
        "output_type": element_type(node.outputs[0]) if node.outputs else None,
    }
    keywords |= {name: bound[name] for name in handler.bound}
    result = handler.function(*arguments, **keywords)
    return tuple(result) if handler.multiple else (result,)


def _rebuilt(node: ir.Node, model: ir.Model, values: Sequence[Any]) -> tuple[Any, ...]:
    module, wanted = _single(node, model, values)
    result = module(*[values[index] for index in wanted])
    return tuple(result) if isinstance(result, tuple) else (result,)


def _single(node: ir.Node, model: ir.Model, values: Sequence[Any]) -> tuple[Any, list[int]]:
    """Return a module of one node, and which of the values it takes."""
    read = read_values(node)
    wanted: list[int] = []
    inputs: list[onnx.ValueInfoProto] = []
    constants: list[onnx.TensorProto] = []
    for index, value in enumerate(read):
        if value is None or value in read[:index]:
            continue
        if (tensor := constant_tensor(value)) is not None:
            proto = ir.serde.serialize_tensor(tensor)
            proto.name = value.name or ""
            constants.append(proto)
        else:
            wanted.append(index)
            inputs.append(_declared(value.name or "", values[index]))
    called = ir.serde.serialize_node(node)
    outputs = [onnx.ValueInfoProto(name=v.name) for v in node.outputs if v.name]
    graph = onnx.helper.make_graph([called], "node", inputs, outputs, constants)
    opsets = [onnx.helper.make_opsetid(*item) for item in model.graph.opset_imports.items()]
    single = ir.from_proto(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10))
    for function in model.functions.values():
        single.functions[function.identifier()] = function.clone()
    return build(single), wanted


def _declared(name: str, value: Any) -> onnx.ValueInfoProto:
    if isinstance(value, list):
        kind = to_onnx(value[0].dtype) if value else onnx.TensorProto.FLOAT
        tensor = onnx.helper.make_tensor_type_proto(kind, None)
        return onnx.helper.make_value_info(name, onnx.helper.make_sequence_type_proto(tensor))
    if isinstance(value, np.ndarray):
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.STRING, value.shape)
    return onnx.helper.make_tensor_value_info(name, to_onnx(value.dtype), list(value.shape))
