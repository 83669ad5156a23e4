"""What one graph has as an operator and the other writes out: the operator is named, alone."""

from __future__ import annotations

import random

import numpy as np
import onnx_ir as ir
import pytest

from verify.locate import locate_graphs

HEAD = """<ir_version: 10, opset_import: ["" : 20]>
    g (float[n,6,8] x, float[8] s1, float[8] b1, float[8,12] w, float[12,8] v, float[8] s2,
       float[8] b2)
    => (float[n,6,8] y)"""

WHOLE = f"""{HEAD} {{
    normed = LayerNormalization<epsilon=1e-5>(x, s1, b1)
    raised = MatMul(normed, w)
    active = Gelu(raised)
    lowered = MatMul(active, v)
    sum = Add(lowered, x)
    y = LayerNormalization<epsilon=1e-5>(sum, s2, b2)
}}"""
NAMES = ("norm", "up", "gelu", "down", "add", "norm2")

CONSTANTS = """
    half = Constant<value_float=0.5>()
    one = Constant<value_float=1.0>()
    cubic = Constant<value_float=0.044715>()
    slope = Constant<value_float=0.7978845608028654>()
    root = Constant<value_float=1.4142135623730951>()
    e1 = Constant<value_float={first}>()
    e2 = Constant<value_float={second}>()
    last = Constant<value_ints=[-1]>()"""


def normed(x: str, scale: str, bias: str, epsilon: str, y: str) -> str:
    return f"""
    {y}_mean = ReduceMean({x}, last)
    {y}_centred = Sub({x}, {y}_mean)
    {y}_squares = Mul({y}_centred, {y}_centred)
    {y}_var = ReduceMean({y}_squares, last)
    {y}_safe = Add({y}_var, {epsilon})
    {y}_root = Sqrt({y}_safe)
    {y}_divided = Div({y}_centred, {y}_root)
    {y}_scaled = Mul({y}_divided, {scale})
    {y} = Add({y}_scaled, {bias})"""


GELU = {
    "erf": """
    shrunk = Div(raised, root)
    error = Erf(shrunk)
    gate = Add(error, one)
    gated = Mul(raised, gate)
    active = Mul(gated, half)""",
    "tanh": """
    halved = Mul(raised, half)
    squared = Mul(raised, raised)
    cubed = Mul(squared, raised)
    bent = Mul(cubed, cubic)
    inner = Add(raised, bent)
    steep = Mul(inner, slope)
    gate = Tanh(steep)
    opened = Add(gate, one)
    active = Mul(halved, opened)""",
}


def written_out(first: float = 1e-5, gelu: str = "erf", second: float = 1e-5) -> ir.Model:
    return ir.from_onnx_text(
        f"{HEAD} {{ {CONSTANTS.format(first=first, second=second)}"
        f"{normed('x', 's1', 'b1', 'e1', 'n')}\n    raised = MatMul(n, w){GELU[gelu]}"
        f"\n    lowered = MatMul(active, v)\n    sum = Add(lowered, x)"
        f"{normed('sum', 's2', 'b2', 'e2', 'y')}\n}}"
    )


def whole() -> ir.Model:
    model = ir.from_onnx_text(WHOLE)
    for node, name in zip(model.graph, NAMES, strict=True):
        node.name = name
    return model


@pytest.mark.parametrize(
    ("faults", "wanted"),
    [
        ({}, []),
        ({"first": 1e-3}, ["norm"]),
        ({"gelu": "tanh"}, ["gelu"]),
        ({"second": 1e-3}, ["norm2"]),
        ({"first": 1e-3, "second": 1e-3}, ["norm", "norm2"]),
        ({"first": 1e-3, "gelu": "tanh", "second": 1e-3}, ["norm", "gelu", "norm2"]),
    ],
    ids=lambda item: "-".join(item) or "none",
)
def test_the_operator_is_named_alone(faults: dict, wanted: list[str]) -> None:
    seed = random.SystemRandom().randrange(1 << 30)
    print(f"seed {seed}")
    draw = np.random.default_rng(seed)
    shapes = {"x": (3, 6, 8), "s1": 8, "b1": 8, "w": (8, 12), "v": (12, 8), "s2": 8, "b2": 8}
    given = {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    depth = locate_graphs(whole(), written_out(**faults), given)
    assert [node.node for node in depth.origins] == wanted
    assert all(node.error < 0.1 for node in depth.origins)  # of its whole result, not of a part
