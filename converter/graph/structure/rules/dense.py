"""Products with a weight over the last axis: ``y[..., j] = sum_i x[..., i] w[i, j]``.

Keras writes a `Dense` on more than two axes as a reshape to rows, a product, and a reshape back;
GPT-2 of the library transformers does so with `addmm`, which is a `Gemm`.
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
    product = made_by(node.inputs[0], "MatMul", "Gemm")
    rows = made_by(product.inputs[0], "Reshape") if product is not None else None
    if product is None or rows is None or rows.inputs[0] is None or not _is_plain(product):
        return False
    turned = product.op_type == "Gemm" and _number(product, "transB", 0)
    weight = weight_of(product.inputs[1])
    weight = weight.turned((1, 0)) if weight is not None and turned else weight
    x = rows.inputs[0]
    before, flat, after = dims(x), dims(rows.outputs[0]), dims(node.outputs[0])
    if weight is None or len(weight.shape) != 2 or not before or not after or not flat:
        return False
    if len(flat) != 2 or len(before) != len(after) or before[-1] != weight.shape[0]:
        return False
    if after[-1] != weight.shape[1] or before[:-1] != after[:-1] or None in before:
        return False
    new: list[ir.Node] = []
    matrix = product.inputs[1]
    if turned:
        new.append(ir.node("Transpose", [matrix], {"perm": (1, 0)}))
        matrix = new[0].outputs[0]
    new.append(ir.node("MatMul", [x, matrix]))
    if len(product.inputs) > 2 and product.inputs[2] is not None:
        new[-1].outputs[0].type, new[-1].outputs[0].shape = x.type, node.outputs[0].shape
        new.append(ir.node("Add", [new[-1].outputs[0], product.inputs[2]]))
    matching.replace(node, node.outputs[0], new, new[-1].outputs[0])
    return True


def _is_plain(product: ir.Node) -> bool:
    """Tell whether a product is ``x w``, or ``x w + b`` with a weight of one axis."""
    if product.op_type == "MatMul":
        return True
    scaled = any(_number(product, name, 1.0) != 1.0 for name in ("alpha", "beta"))
    bias = product.inputs[2] if len(product.inputs) > 2 else None
    along = bias is None or (bias.shape is not None and len(bias.shape) == 1)
    return not scaled and along and not _number(product, "transA", 0)


def _number(node: ir.Node, name: str, default: float) -> float:
    given = node.attributes.get(name)
    return given.value if given is not None else default
