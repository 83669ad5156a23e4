"""Open sizes that a graph drops where they are 1, so that the rank of a result hangs on them."""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.shapes import infer_shapes
from converter.signature import Signature


def never_one(model: ir.Model, signature: Signature) -> list[str]:
    """Return the conditions ``n != 1`` under which a graph's `Squeeze` means one thing.

    A `Squeeze` without axes drops every size that is 1. A target has a fixed number of axes: an
    open size is taken to stay.
    """
    words = set(signature.dynamic_dims())
    squeezed = [*filter(None, map(_squeezed, model.graph.all_nodes()))]
    if any(value.shape is None for value in squeezed):
        squeezed = [*filter(None, map(_squeezed, infer_shapes(model.clone()).graph.all_nodes()))]
    found: dict[str, None] = {}
    for value in squeezed:
        if value.shape is None:
            continue
        sizes = (str(getattr(size, "value", size)) for size in value.shape)
        found |= {f"{size} != 1": None for size in sizes if size in words}
    return [condition for condition in found if condition not in signature.conditions]


def _squeezed(node: ir.Node) -> ir.Value | None:
    """Return what a `Squeeze` without axes reads."""
    axes = node.attributes.get("axes") or (node.inputs[1] if len(node.inputs) > 1 else None)
    return node.inputs[0] if node.op_type == "Squeeze" and axes is None else None
