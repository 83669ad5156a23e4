"""A graph with its inner values as outputs."""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.shapes import infer_shapes
from converter.rebuild.graph_values import constant_tensor


def exposed(model: ir.Model) -> ir.Model:
    """Return a copy in which every tensor of the main graph is an output."""
    copy = infer_shapes(model.clone())
    known = {value.name for value in copy.graph.outputs}
    for node in copy.graph:
        for value in node.outputs:
            wanted = value.name and value.name not in known and constant_tensor(value) is None
            if wanted and isinstance(value.type, ir.TensorType):
                copy.graph.outputs.append(value)
    return copy
