"""Compute beforehand what follows from constants alone."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.graph.evaluate import evaluated
from converter.rebuild.graph_values import constant_tensor, role_of
from converter.rebuild.prepare import plain_domain, version_of

LARGEST = 1 << 20
"""Most elements of a result; more would only make the file larger."""

_LEFT = frozenset({"Constant", "RandomNormal", "RandomUniform", "If", "Loop", "Scan"})


def fold_constants(model: ir.Model) -> ir.Model:
    """Put a constant in the place of each node that reads nothing but constants; in place.

    Weights are none: what a node makes of a weight stays a node. A type that follows from another
    value (`CastLike`) is enough.
    """
    for node in list(model.graph):
        if node.op_type in _LEFT or plain_domain(node.domain) or len(node.outputs) != 1:
            continue
        if node.outputs[0].is_graph_output() or not node.inputs:
            continue
        tensors = _operands(node)
        if tensors is None:
            continue
        result = _evaluated(node, tensors, version_of(node, model))
        if result is not None and result.size <= LARGEST:
            _replace(node, result)
    return model


def _operands(node: ir.Node) -> list[np.ndarray | None] | None:
    found: list[np.ndarray | None] = []
    for index, value in enumerate(node.inputs):
        if value is None:
            found.append(None)
            continue
        if node.op_type == "Shape" and value.shape is not None and value.shape.is_static():
            found.append(np.broadcast_to(np.zeros((), np.float32), value.shape.numpy()))
            continue
        if node.op_type == "CastLike" and index == 1 and value.dtype is not None:
            found.append(np.zeros((), value.dtype.numpy()))
            continue
        tensor = None if role_of(value) else constant_tensor(value)
        if tensor is None:
            return None
        found.append(tensor.numpy())
    return found


def _evaluated(node: ir.Node, operands: list[np.ndarray | None], opset: int) -> np.ndarray | None:
    """Return what a node makes of constants; ``None`` where the reference cannot run it.

    Then the node stays as it is: that is no fault, only a longer text.
    """
    try:
        (result,) = evaluated(ir.serde.serialize_node(node), operands, opset)
    except Exception:  # whatever the reference raises, from a missing operator to a wrong shape
        return None
    return result


def _replace(node: ir.Node, result: np.ndarray) -> None:
    output = node.outputs[0]
    constant = ir.node("Constant", [], {"value": ir.Tensor(result, name=output.name)})
    constant.metadata_props.update(node.metadata_props)
    new = constant.outputs[0]
    new.type, new.shape = (
        ir.TensorType(ir.DataType.from_numpy(result.dtype)),
        ir.Shape(result.shape),
    )
    graph = node.graph
    assert graph is not None
    graph.insert_before(node, constant)
    name = output.name
    output.replace_all_uses_with(new)
    graph.remove(node, safe=True)
    new.name = name
