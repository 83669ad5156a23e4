"""Arithmetic and activations, element by element."""

from __future__ import annotations

from converter.graph.dropout import kind_of
from converter.source import infix
from converter.source.expressions import PRODUCT, Text, call, string
from converter.source.expressions import infix as between
from converter.source.keras.operators.table import spells
from converter.source.spelling import is_selu
from converter.source.view import View

infix.register(spells)
spells("Pow", since=7)(infix.power)


@spells("MatMul", since=1)
def _product(view: View) -> Text:
    left, right = view.tensor(0), view.tensor(1)
    if all((view.rank(index) or 0) > 1 for index in range(2)):
        return between("@", PRODUCT, left, right)
    return call("ops.matmul", left, right)  # TensorFlow's own @ has no vectors


@spells("Div", since=7)
def _div(view: View) -> Text | None:
    return between("/", PRODUCT, view.arg(0), view.arg(1)) if view.is_float(0) else None


@spells("Not", since=1)
def _not(view: View) -> Text:
    return call("ops.logical_not", view.tensor(0))


@spells("And", "Or", "Xor", since=7)
def _logical(view: View) -> Text:
    if (left_alone := infix.neutral(view)) is not None:
        return left_alone
    return call(f"ops.logical_{view.node.op_type.lower()}", view.tensor(0), view.tensor(1))


_FUNCTIONS = {
    "Relu": "relu", "Softplus": "softplus", "HardSwish": "hard_silu", "Softsign": "softsign",
    "Mish": "mish",
    "Sigmoid": "sigmoid", "Tanh": "tanh", "Exp": "exp", "Log": "log", "Sqrt": "sqrt",
    "Abs": "abs", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Erf": "erf", "Floor": "floor",
    "Ceil": "ceil", "Sign": "sign", "Reciprocal": "reciprocal", "IsNaN": "isnan",
    "Atan": "arctan", "Asin": "arcsin", "Acos": "arccos", "Sinh": "sinh", "Cosh": "cosh",
    "Asinh": "arcsinh", "Acosh": "arccosh", "Atanh": "arctanh",
}  # fmt: skip
_ANY_TYPE = frozenset({"Relu", "Abs", "Sign"})


@spells(*_FUNCTIONS, since=6)
def _function(view: View) -> Text | None:
    if view.node.op_type not in _ANY_TYPE and not view.is_float(0):
        return None
    return call(f"ops.{_FUNCTIONS[view.node.op_type]}", view.tensor(0))


@spells("Where", since=9)
def _where(view: View) -> Text | None:
    # Bare numbers would take Keras' default type.
    return call("ops.where", view.tensor(0), view.tensor(1), view.tensor(2))


@spells("Round", since=11)
def _round(view: View) -> Text:
    return call("ops.round", view.tensor(0))


@spells("CumSum", since=11)
def _cumulated(view: View) -> Text | None:
    axis = view.number(1)
    if not isinstance(axis, int) or view.attribute("exclusive", 0) or view.attribute("reverse", 0):
        return None
    return call("ops.cumsum", view.tensor(0), axis=axis)


@spells("Gelu", since=20)
def _gelu(view: View) -> Text:
    exact = view.attribute("approximate", "none") == "none"
    return call("ops.gelu", view.tensor(0), approximate=False if exact else None)


@spells("Swish", since=24)
def _swish(view: View) -> Text | None:
    return call("ops.silu", view.tensor(0)) if view.attribute("alpha", 1.0) == 1.0 else None


@spells("LeakyRelu", since=6)
def _leaky(view: View) -> Text:
    slope = view.literal(view.attribute("alpha", 0.01))
    return call("ops.leaky_relu", view.tensor(0), negative_slope=slope)


@spells("HardSigmoid", since=6)
def _hard_sigmoid(view: View) -> Text | None:
    alpha, beta = view.attribute("alpha", 0.2), view.attribute("beta", 0.5)
    known = abs(alpha - 1 / 6) < 1e-7 and beta == 0.5
    return call("ops.hard_sigmoid", view.tensor(0)) if known else None


@spells("Elu", since=6)
def _elu(view: View) -> Text:
    alpha = view.attribute("alpha", 1.0)
    return call("ops.elu", view.tensor(0), alpha=None if alpha == 1 else view.literal(alpha))


@spells("Softmax", "LogSoftmax", since=13)
def _softmax(view: View) -> Text:
    name = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}[view.node.op_type]
    axis = view.attribute("axis", -1)
    return call(f"ops.{name}", view.tensor(0), axis=None if axis == -1 else axis)


@spells("Clip", since=11)
def _clip(view: View) -> Text | None:
    low, high = view.optional(1), view.optional(2)
    if low is None and high is None:
        return view.tensor(0)
    if str(low) in ("0", "0.0") and str(high) in ("6", "6.0"):
        return call("ops.relu6", view.tensor(0))
    if low is None or high is None:
        side = "ops.minimum" if low is None else "ops.maximum"
        return call(side, view.tensor(0), high if low is None else low)
    return call("ops.clip", view.tensor(0), low, high)


@spells("Min", "Max", since=8)
def _extreme(view: View) -> Text | None:
    if len(view.node.inputs) != 2:
        return None
    name = {"Min": "minimum", "Max": "maximum"}[view.node.op_type]
    return call(f"ops.{name}", view.tensor(0), view.arg(1))


@spells("Einsum", since=12)
def _einsum(view: View) -> Text:
    operands = [view.tensor(index) for index in range(len(view.node.inputs))]
    return call("ops.einsum", string(view.attribute("equation", "")), *operands)


@spells("Selu", since=6)
def _selu(view: View) -> Text | None:
    return call("ops.selu", view.tensor(0)) if is_selu(view) else None


@spells("Celu", since=12)
def _celu(view: View) -> Text | None:
    alpha = view.attribute("alpha", 1.0)
    return call("ops.celu", view.tensor(0), alpha=None if alpha == 1 else view.literal(alpha))


@spells("Dropout", since=7)
def _dropout(view: View) -> Text | None:
    # What the language has no layer for; the writer says so in a note.
    return view.tensor(0) if kind_of(view.node) is not None else None
