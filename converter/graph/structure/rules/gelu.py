"""GELU that is written out, exactly or with the hyperbolic tangent (Hendrycks and Gimpel 2016).

``gelu(x) = x / 2 erfc(-x / sqrt(2))``, where ``erfc(z) = 1 - erf(z)``; the other one is
``x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))``.
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
            if number(factor) != 0.5:
                continue
            tanh = _is_tanh(rest, x)
            if tanh or _is_upper(rest, x):
                attributes = {"approximate": "tanh"} if tanh else {}
                new = ir.node("Gelu", [x], attributes, version=20)
                matching.replace(node, node.outputs[0], [new], new.outputs[0])
                return True
    return False


def _is_tanh(value: ir.Value, x: ir.Value) -> bool:
    """Tell whether a value is ``1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))``."""
    total = made_by(value, "Add")
    for one, function in either(total) if total is not None else ():
        tanh = made_by(function, "Tanh")
        if number(one) == 1 and tanh is not None:
            inner = _times(tanh.inputs[0], math.sqrt(2 / math.pi))
            cubic = made_by(inner, "Add")
            return any(
                left is x and _is_close(_monomial(right, x), (0.044715, 3))
                for left, right in (either(cubic) if cubic is not None else ())
            )
    return False


def _times(value: ir.Value | None, factor: float) -> ir.Value | None:
    """Return what a value is a multiple of, by a factor that is known."""
    product = made_by(value, "Mul")
    for inner, known in either(product) if product is not None else ():
        found = number(known)
        if found is not None and math.isclose(found, factor, rel_tol=1e-6):
            return inner
    return None


def _monomial(value: ir.Value | None, x: ir.Value) -> tuple[float, float] | None:
    """Return coefficient and power of ``c x^n``, however its factors are put together."""
    if value is x:
        return 1.0, 1.0
    if (known := number(value)) is not None:
        return known, 0.0
    power, product = made_by(value, "Pow"), made_by(value, "Mul")
    if power is not None:
        exponent = number(power.inputs[1])
        return (1.0, exponent) if power.inputs[0] is x and exponent is not None else None
    if product is None:
        return None
    left, right = (_monomial(factor, x) for factor in product.inputs)
    return None if left is None or right is None else (left[0] * right[0], left[1] + right[1])


def _is_close(found: tuple[float, float] | None, wanted: tuple[float, float]) -> bool:
    return found is not None and all(
        math.isclose(one, other, rel_tol=1e-6) for one, other in zip(found, wanted, strict=True)
    )


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
