"""Activations."""

from __future__ import annotations

from converter.graph.dropout import kind_of
from converter.source.expressions import Text, call, method
from converter.source.pytorch.operators.table import spells
from converter.source.spelling import is_selu
from converter.source.view import View


@spells("Gelu", since=20)
def _gelu(view: View) -> Text | None:
    approximate = view.attribute("approximate", "none")
    word = None if approximate == "none" else f'"{approximate}"'
    return call("F.gelu", view.tensor(0), approximate=word)


@spells("Swish", since=24)
def _swish(view: View) -> Text | None:
    return call("F.silu", view.tensor(0)) if view.attribute("alpha", 1.0) == 1.0 else None


@spells("LeakyRelu", since=6)
def _leaky(view: View) -> Text | None:
    return call("F.leaky_relu", view.tensor(0), view.literal(view.attribute("alpha", 0.01)))


@spells("HardSigmoid", since=6)
def _hard_sigmoid(view: View) -> Text | None:
    alpha, beta = view.attribute("alpha", 0.2), view.attribute("beta", 0.5)
    known = abs(alpha - 1 / 6) < 1e-7 and beta == 0.5
    return call("F.hardsigmoid", view.tensor(0)) if known else None


@spells("Elu", since=6)
def _elu(view: View) -> Text | None:
    alpha = view.attribute("alpha", 1.0)
    return call("F.elu", view.tensor(0), alpha=None if alpha == 1 else view.literal(alpha))


@spells("Softmax", "LogSoftmax", since=13)
def _softmax(view: View) -> Text | None:
    name = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}[view.node.op_type]
    return method(view.tensor(0), name, view.attribute("axis", -1))


@spells("Clip", since=11)
def _clip(view: View) -> Text | None:
    low, high = view.optional(1), view.optional(2)
    if low is None and high is None:
        return view.tensor(0)
    if str(low) in ("0", "0.0") and str(high) in ("6", "6.0"):
        return call("F.relu6", view.tensor(0))
    return method(view.tensor(0), "clamp", min=low, max=high)


@spells("Selu", since=6)
def _selu(view: View) -> Text | None:
    return call("F.selu", view.tensor(0)) if is_selu(view) else None


@spells("Celu", since=12)
def _celu(view: View) -> Text | None:
    alpha = view.attribute("alpha", 1.0)
    return call("F.celu", view.tensor(0), alpha=None if alpha == 1 else view.literal(alpha))


@spells("Dropout", since=7)
def _dropout(view: View) -> Text | None:
    # What the language has no layer for; the writer says so in a note.
    return view.tensor(0) if kind_of(view.node) is not None else None
