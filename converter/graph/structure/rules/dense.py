"""Products with a weight over the last axis: ``y[..., j] = sum_i x[..., i] w[i, j]``.

Keras writes a `Dense` on more than two axes as a reshape to rows, a product, and a reshape back.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.structure.rules import matching
from converter.graph.structure.rules.matching import made_by
from converter.graph.structure.sizes import dims
from converter.graph.structure.weights import weight_of


def recover(node: ir.Node) -> bool:
    """Put one product in the place of a product between two reshapes; tell whether it was one."""
    if node.op_type != "Reshape" or not node.outputs:
        return False
    product = made_by(node.inputs[0], "MatMul")
    rows = made_by(product.inputs[0], "Reshape") if product is not None else None
    if product is None or rows is None or rows.inputs[0] is None:
        return False
    weight = weight_of(product.inputs[1])
    x = rows.inputs[0]
    before, flat, after = dims(x), dims(rows.outputs[0]), dims(node.outputs[0])
    if weight is None or len(weight.shape) != 2 or not before or not after or not flat:
        return False
    if len(flat) != 2 or len(before) != len(after) or before[-1] != weight.shape[0]:
        return False
    if after[-1] != weight.shape[1] or before[:-1] != after[:-1] or None in before:
        return False
    new = ir.node("MatMul", [x, product.inputs[1]])
    matching.replace(node, node.outputs[0], [new], new.outputs[0])
    return True
