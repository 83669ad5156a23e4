"""GELU that is written out with the error function (Hendrycks and Gimpel 2016).

``gelu(x) = x / 2 erfc(-x / sqrt(2))``, where ``erfc(z) = 1 - erf(z)``.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from converter.graph.structure.rules import matching
from converter.graph.structure.rules.matching import either, made_by, number


def recover(node: ir.Node) -> bool:
    """Put one `Gelu` in the place of the product that it ends in; tell whether it was one."""
    if node.op_type != "Mul" or not node.outputs:
        return False
    for half, rest in either(node):
        product = made_by(half, "Mul")
        for x, factor in either(product) if product is not None else ():
            if number(factor) == 0.5 and _is_upper(rest, x):
                new = ir.node("Gelu", [x], version=20)
                matching.replace(node, node.outputs[0], [new], new.outputs[0])
                return True
    return False


def _is_upper(value: ir.Value, x: ir.Value) -> bool:
    """Tell whether a value is ``erfc(-x / sqrt(2))``: ``1 - erf(-x / sqrt(2))``."""
    rest = made_by(value, "Sub")
    function = made_by(rest.inputs[1], "Erf") if rest is not None else None
    if rest is None or function is None or number(rest.inputs[0]) != 1:
        return False
    scaled = made_by(function.inputs[0], "Mul", "Div")
    for inner, factor in either(scaled) if scaled is not None else ():
        negated, small = made_by(inner, "Neg"), number(factor)
        if negated is None or negated.inputs[0] is not x or small is None:
            continue
        wanted = math.sqrt(0.5) if scaled is not None and scaled.op_type == "Mul" else math.sqrt(2)
        if math.isclose(small, wanted, rel_tol=1e-6):
            return True
    return False
