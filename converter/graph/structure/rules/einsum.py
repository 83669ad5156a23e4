"""Einsteinian sums with a weight that are a product of matrices.

``einsum("abc,cde->abde", x, w)`` sums over the last axes of ``x`` and the first ones of ``w``, so
it is ``x[..., c] w[c, d * e]``, its last axis split. Keras' `EinsumDense` says it so.
"""

from __future__ import annotations

from math import prod

import numpy as np
import onnx_ir as ir

from converter.graph.structure.rules import matching
from converter.graph.structure.sizes import dims
from converter.rebuild.graph_values import role_of


def recover(node: ir.Node) -> bool:
    """Put a product between reshapes in the place of a sum; tell whether it was one."""
    if node.op_type != "Einsum" or node.domain not in ("", "ai.onnx") or len(node.inputs) != 2:
        return False
    x, weight = node.inputs
    summed = _summed(node.attributes["equation"].as_string())
    if x is None or weight is None or summed is None or not role_of(weight):
        return False
    sizes = dims(weight)
    if x.shape is None or not sizes or any(not isinstance(size, int) for size in sizes):
        return False
    inner, outer = sizes[:summed], sizes[summed:]
    kept = x.shape[: len(x.shape) - summed]
    new: list[ir.Node] = []
    rows = x if summed == 1 else _reshaped(new, x, [*[0] * len(kept), prod(inner)])
    matrix = weight
    if len(sizes) != 2:
        matrix = _reshaped(new, weight, [prod(inner), prod(outer)])
    product = ir.node("MatMul", [rows, matrix])
    product.outputs[0].type, product.outputs[0].shape = x.type, ir.Shape([*kept, prod(outer)])
    new.append(product)
    result = product.outputs[0]
    if len(outer) != 1:
        result = _reshaped(new, result, [*[0] * len(kept), *outer])
    matching.replace(node, node.outputs[0], new, result)
    result.shape = ir.Shape([*kept, *outer])  # it says of open sizes what the sum's did not
    return True


def _summed(equation: str) -> int | None:
    """Return over how many axes a sum goes, ``None`` where it is no product of matrices."""
    terms, arrow, result = equation.replace(" ", "").partition("->")
    left, comma, right = terms.partition(",")
    if not arrow or not comma or "," in right or "." in equation:
        return None
    shared = [label for label in left if label in right]
    count = len(shared)
    if not count or len(set(left)) != len(left) or len(set(right)) != len(right):
        return None
    apart = left.endswith("".join(shared)) and right.startswith("".join(shared))
    return count if apart and result == left[:-count] + right[count:] else None


def _reshaped(new: list[ir.Node], value: ir.Value, sizes: list[int]) -> ir.Value:
    """Add the nodes that give a value another shape; 0 is the size that it has there."""
    shape = matching.constant(np.array(sizes), "shape")
    node = ir.node("Reshape", [value, shape.outputs[0]])
    new += [shape, node]
    return node.outputs[0]
