"""The table of how a language spells operators.

A speller takes the writer's view of a node (`converter.source.view.View`) and returns an
expression, or ``None`` where no single expression says it; then the handler is written out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

from converter.source.expressions import Text

Speller = Callable[[Any], Text | None]

ENDLESS = 1_000_000_000
"""From here on the end of a slice means "to the end"; exporters write different ones."""


def one_of(start: Any, end: Any, step: int) -> tuple[Any, int]:
    """Return end and step of a slice; TensorFlow's ``x[i]`` is one with an endless step.

    It has one element where the end lies behind the start, which is not negative.
    """
    nonnegative = start >= 0 if isinstance(start, int) else bool(start.is_nonnegative)
    if step < ENDLESS or not nonnegative:
        return end, step
    ends = end.args if isinstance(end, sympy.Max) else (end,)
    if any((sympy.sympify(item) - start).is_positive for item in ends):
        return start + 1, 1
    return end, step


def single_axes(view: Any) -> tuple[int, ...] | None:
    """Return the axes of size 1, which a `Squeeze` without axes drops; ``None``: not known."""
    sizes = view.dims(0)
    if sizes is None or not all(isinstance(size, int) for size in sizes) or 1 not in sizes:
        return None
    return tuple(axis for axis, size in enumerate(sizes) if size == 1)


class Spellings:
    """Spellers by operator; each says from which version of the operator on it is right."""

    def __init__(self) -> None:
        self.table: dict[str, tuple[int, Speller]] = {}

    def __call__(self, *operators: str, since: int) -> Callable[[Speller], Speller]:
        """Register a speller for operators of a version of ONNX or a newer one."""

        def register(speller: Speller) -> Speller:
            for operator in operators:
                self.table[operator] = since, speller
            return speller

        return register

    def find(self, operator: str, version: int) -> Speller | None:
        """Return the speller of an operator, ``None`` if it has none for that version."""
        since, speller = self.table.get(operator, (0, None))
        return speller if version >= since else None


SELU = {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805}
"""The numbers of Klambauer et al. (2017); ONNX has them in single precision."""


def is_selu(view: Any) -> bool:
    """Tell whether a node is `Selu` with the numbers that every framework has."""
    return all(abs(view.attribute(name, number) - number) < 1e-6 for name, number in SELU.items())
