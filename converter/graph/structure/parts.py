"""Layers whose weights lie in the source in another shape, or as parts of one weight.

Keras' `EinsumDense` keeps the heads of attention as an axis, ``[in, heads, size]``, and the product
is with ``[in, heads * size]``; its `ConvLSTM2D` convolves with a quarter of its kernel for each
gate.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.structure.assembled import AnyWeight, Assembled, Elements
from converter.graph.structure.layers import Layer, convolution, only_use
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


def convolution_of_parts(node: ir.Node, model: ir.Model) -> Layer | None:
    """Recognise a convolution with a weight that is put together from elements of initializers."""
    elements = Elements(model)

    def find(value: ir.Value | None) -> AnyWeight | None:
        known = weight_of(value)
        found = elements.of(value) if known is None else None
        if found is None:
            return known
        whole = Assembled(tuple(elements.sources), found[None])
        return whole if whole.is_learned() else None

    return convolution(node, find)


OF_PARTS = {
    "MatMul": linear_of_parts,
    "Conv": convolution_of_parts,
    "ConvTranspose": convolution_of_parts,
}
