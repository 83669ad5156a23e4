"""Operators that Python itself has signs for: every language spells them alike."""

from __future__ import annotations

from converter.source.expressions import (
    COMPARISON,
    PRODUCT,
    SUM,
    UNARY,
    Text,
    combined,
    infix,
)
from converter.source.spelling import Speller, Spellings
from converter.source.view import View

_SIGNS = {
    "Add": ("+", SUM), "Sub": ("-", SUM), "Mul": ("*", PRODUCT), "MatMul": ("@", PRODUCT),
    "Equal": ("==", COMPARISON), "Less": ("<", COMPARISON), "LessOrEqual": ("<=", COMPARISON),
    "Greater": (">", COMPARISON), "GreaterOrEqual": (">=", COMPARISON),
}  # fmt: skip


def register(spells: Spellings) -> None:
    """Enter them in a language's table."""
    for operator, (sign, level) in _SIGNS.items():
        spells(operator, since=7)(_binary(sign, level))
    spells("And", "Or", "Xor", since=7)(_logical)
    spells("Neg", since=6)(_prefix("-"))
    spells("Not", since=1)(_prefix("~"))
    spells("Identity", since=1)(lambda view: view.tensor(0))


def _binary(sign: str, level: int) -> Speller:
    def spell(view: View) -> Text:
        return infix(sign, level, view.arg(0), view.arg(1))

    return spell


def neutral(view: View) -> Text | None:
    """Return what ``x & True`` or ``x | False`` is, ``None`` for another operation."""
    plain = {"And": True, "Or": False}.get(view.node.op_type)
    for index in range(2):
        if plain is not None and view.number(index) is plain and view.number(1 - index) is None:
            return view.tensor(1 - index)
    return None


def _logical(view: View) -> Text:
    if (left_alone := neutral(view)) is not None:
        return left_alone
    sign = {"And": "&", "Or": "|", "Xor": "^"}[view.node.op_type]
    left, right = (view.tensor(index) for index in range(2))
    return combined(f"{left.at(UNARY)} {sign} {right.at(UNARY)}", COMPARISON, left, right)


def _prefix(sign: str) -> Speller:
    def spell(view: View) -> Text:
        value = view.tensor(0)
        return combined(f"{sign}{value.at(UNARY)}", UNARY, value)

    return spell


def power(view: View) -> Text | None:
    """Return ``base ** exponent`` of floats; ONNX's result has the type of the base."""
    if not view.is_float(0) or not (view.is_number(1) or view.same_dtype()):
        return None
    base, exponent = view.arg(0), view.arg(1)
    return combined(f"{base.at(UNARY + 1)} ** {exponent.at(UNARY)}", UNARY, base, exponent)
