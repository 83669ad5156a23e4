"""Arithmetic, element by element."""

from __future__ import annotations

from converter.source import infix
from converter.source.expressions import PRODUCT, Text, call, method, string
from converter.source.expressions import infix as between
from converter.source.pytorch.operators.table import spells
from converter.source.view import View

infix.register(spells)
spells("Pow", since=7)(infix.power)


@spells("Div", since=7)
def _div(view: View) -> Text | None:
    if view.is_float(0):
        return between("/", PRODUCT, view.arg(0), view.arg(1))
    return call("torch.div", view.tensor(0), view.arg(1), rounding_mode='"trunc"')


_FUNCTIONS = {
    "Relu": "F.relu", "Softplus": "F.softplus", "Mish": "F.mish", "HardSwish": "F.hardswish",
    "Sigmoid": "torch.sigmoid", "Tanh": "torch.tanh", "Exp": "torch.exp", "Log": "torch.log",
    "Sqrt": "torch.sqrt", "Abs": "torch.abs", "Sin": "torch.sin", "Cos": "torch.cos",
    "Tan": "torch.tan", "Erf": "torch.erf", "Floor": "torch.floor", "Ceil": "torch.ceil",
    "Round": "torch.round", "Sign": "torch.sign", "Reciprocal": "torch.reciprocal",
    "IsNaN": "torch.isnan", "Softsign": "F.softsign",
    "Atan": "torch.atan", "Asin": "torch.asin", "Acos": "torch.acos", "Sinh": "torch.sinh",
    "Cosh": "torch.cosh", "Asinh": "torch.asinh", "Acosh": "torch.acosh", "Atanh": "torch.atanh",
}  # fmt: skip
_FLOATS_ONLY = frozenset({"Sqrt", "Reciprocal", "Exp", "Log", "Erf"})


@spells(*_FUNCTIONS, since=6)
def _function(view: View) -> Text | None:
    if view.node.op_type in _FLOATS_ONLY and not view.is_float(0):
        return None
    return call(_FUNCTIONS[view.node.op_type], view.tensor(0))


@spells("Where", since=9)
def _where(view: View) -> Text | None:
    # Two bare numbers would take PyTorch's default type.
    other = view.tensor(1) if view.is_number(2) else view.arg(1)
    return call("torch.where", view.tensor(0), other, view.arg(2))


@spells("Min", "Max", since=8)
def _extreme(view: View) -> Text | None:
    if len(view.node.inputs) != 2:
        return None
    name = {"Min": "minimum", "Max": "maximum"}[view.node.op_type]
    if view.is_number(1):
        side = "max" if name == "minimum" else "min"
        return method(view.tensor(0), "clamp", **{side: view.arg(1)})
    return call(f"torch.{name}", view.tensor(0), view.tensor(1))


@spells("Einsum", since=12)
def _einsum(view: View) -> Text | None:
    operands = [view.tensor(index) for index in range(len(view.node.inputs))]
    return call("torch.einsum", string(view.attribute("equation", "")), *operands)
