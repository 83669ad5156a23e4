"""Linear layers whose weight lies in the source in another shape.

Keras' `EinsumDense` keeps the heads of attention as an axis, ``[in, heads, size]``, and so do its
biases; the product is with ``[in, heads * size]``.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.structure.assembled import AnyWeight, Assembled, Elements
from converter.graph.structure.layers import Layer, only_use
from converter.graph.structure.weights import weight_of
from converter.rebuild.prepare import plain_domain


def linear_of_parts(node: ir.Node, model: ir.Model) -> Layer | None:
    """Recognise ``y = x @ W (+ b)`` where ``W`` is put together from elements of initializers."""
    value, given = node.inputs[0], node.inputs[1]
    elements = Elements(model)
    found = elements.of(given)
    if value is None or found is None or found.ndim != 2 or elements.of(value) is not None:
        return None
    into, out = found.shape
    nodes, bias = [node], None
    after = only_use(node.outputs[0])
    if after is not None and after.op_type == "Add" and not plain_domain(after.domain):
        other = after.inputs[1] if after.inputs[0] is node.outputs[0] else after.inputs[0]
        bias = elements.of(other)
        nodes = [node, after] if bias is not None and bias.shape == (out,) else [node]
    sources = tuple(elements.sources)
    weight = Assembled(sources, found.T[None])
    if not weight.is_learned():
        return None
    weights: dict[str, AnyWeight] = {"weight": weight.settled()}
    if len(nodes) > 1 and bias is not None:
        own = Assembled(sources, bias[None])
        if own.is_learned():
            weights["bias"] = weight_of(other) or own.settled()
        else:
            nodes = [node]
    config = {"in": into, "out": out, "bias": "bias" in weights}
    return Layer("Linear", config, weights, [value], [nodes[-1].outputs[0]], nodes)
