"""Pieces of Python text that know how tightly they bind, and numbers as they are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy

from converter.source.errors import NotWritable

COMPARISON, SUM, PRODUCT, UNARY, ATOM = range(5)
"""How tightly an expression binds, loosest first."""


@dataclass(frozen=True)
class Text:
    """An expression.

    Attributes:
        text: as it is written.
        level: how tightly its outermost operator binds.
        names: the variables in it.
        stem: the variable that it goes on from, e.g. ``x`` of ``F.relu(x + y)``.
        depth: how many calls and operators are nested in it.
    """

    text: str
    level: int = ATOM
    names: frozenset[str] = field(default_factory=frozenset)
    stem: str = ""
    depth: int = 0

    def __str__(self) -> str:
        return self.text

    def at(self, level: int) -> str:
        """Return it as an operand of an operator of a level, in parentheses where it needs them."""
        return self.text if self.level >= level else f"({self.text})"


def name(text: str) -> Text:
    """Return a variable."""
    return Text(text, names=frozenset({text}), stem=text)


def combined(text: str, level: int, *parts: Any) -> Text:
    """Return an expression made of others."""
    found = [part for part in parts if isinstance(part, Text)]
    names = frozenset().union(*(part.names for part in found))
    stem = next((part.stem for part in found if part.stem), "")
    depth = 1 + max((part.depth for part in found), default=0)
    return Text(text, level, names, stem, depth)


def call(function: str, *arguments: Any, **keywords: Any) -> Text:
    """Return a call; keywords that are ``None`` are left out."""
    texts = [str(argument) for argument in arguments]
    texts += [f"{key}={value}" for key, value in keywords.items() if value is not None]
    return combined(f"{function}({', '.join(texts)})", ATOM, *arguments, *keywords.values())


def method(value: Text, function: str, *arguments: Any, **keywords: Any) -> Text:
    """Return a call of a method."""
    inner = call(function, *arguments, **keywords)
    return combined(f"{value.at(ATOM)}.{inner.text}", ATOM, value, inner)


def infix(operator: str, level: int, left: Text, right: Text) -> Text:
    """Return ``left operator right``; operators of one level bind to the left."""
    # Python chains comparisons: a < b == c is no comparison of a truth value.
    least = level + 1 if level == COMPARISON else level
    text = f"{left.at(least)} {operator} {right.at(level + 1)}"
    return combined(text, level, left, right)


def string(text: str) -> Text:
    """Return a string that Python reads as this one, whatever is in it."""
    return Text(repr(text))


def number(value: Any, single: bool = False) -> str:
    """Return a number, or a tuple of them, as a person writes it.

    Args:
        single: it is of single precision: the shortest decimal that reads as it is taken.
    """
    if isinstance(value, Text):
        return value.text
    if isinstance(value, tuple):
        inner = ", ".join(number(item, single) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, float) and not np.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, float) and single:
        shortest = float(str(np.float32(value)))
        # The largest number of single precision is a little less than its shortest decimal.
        value = shortest if abs(shortest) <= float(np.finfo(np.float32).max) else value
    return repr(value)


def size(
    expression: Any,
    dims: dict[sympy.Symbol, Text],
    single: bool = False,
    extremes: tuple[str, str] = ("max", "min"),
) -> Text:
    """Return a size: a number, or arithmetic on the shapes of tensors.

    Args:
        expression: integer, float, boolean or sympy expression.
        dims: what each open dimension is written as.
        extremes: functions that return the larger and the smaller of two sizes.
    """
    if isinstance(expression, sympy.logic.boolalg.BooleanAtom):
        expression = bool(expression)
    if not isinstance(expression, sympy.Basic):
        literal = number(expression, single)
        return Text(literal, UNARY if literal.startswith("-") else ATOM)
    text, level = _printed(expression, dims, extremes)
    names = frozenset().union(*(dims[s].names for s in expression.free_symbols))
    return Text(text, level, names)


def _printed(
    expression: Any, dims: dict[sympy.Symbol, Text], extremes: tuple[str, str]
) -> tuple[str, int]:
    def part(item: Any, level: int) -> str:
        text, own = _printed(item, dims, extremes)
        return text if own >= level else f"({text})"

    if expression.is_Symbol:
        return dims[expression].text, ATOM
    if expression.is_Number:
        plain = int(expression) if expression.is_Integer else float(expression)
        return repr(plain), UNARY if plain < 0 else ATOM
    if expression.is_Add:
        # The numbers last, as people write them: n - 1.
        terms = sorted(expression.args, key=lambda term: (bool(term.is_Number), str(term)))
        text = part(terms[0], SUM)
        for term in terms[1:]:
            negative = term.could_extract_minus_sign()
            text += f" - {part(-term, PRODUCT)}" if negative else f" + {part(term, PRODUCT)}"
        return text, SUM
    if isinstance(expression, sympy.floor):
        above, below = expression.args[0].as_numer_denom()
        return f"{part(above, PRODUCT)} // {part(below, UNARY)}", PRODUCT
    if expression.is_Mul:
        factors = sorted(expression.args, key=lambda factor: (not factor.is_Number, str(factor)))
        return " * ".join(part(factor, UNARY) for factor in factors), PRODUCT
    if isinstance(expression, sympy.Mod):
        return " % ".join(part(item, UNARY) for item in expression.args), PRODUCT
    if isinstance(expression, sympy.Max | sympy.Min):
        function = extremes[isinstance(expression, sympy.Min)]
        first, *others = (part(item, COMPARISON) for item in expression.args)
        for other in others:
            first = f"{function}({first}, {other})"
        return first, ATOM
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 0:
        return f"{part(expression.base, ATOM)} ** {expression.exp}", UNARY
    if isinstance(expression, sympy.core.relational.Relational):
        left, right = (part(side, SUM) for side in expression.args)
        return f"{left} {expression.rel_op} {right}", COMPARISON
    raise NotWritable(f"a size with {type(expression).__name__}")
