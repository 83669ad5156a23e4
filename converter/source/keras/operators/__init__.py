"""How Keras spells an operator: one expression in Python's signs and `keras.ops`."""

from __future__ import annotations

from converter.source.keras.operators import (  # noqa: F401  each enters its spellers
    arithmetic,
    making,
    reductions,
    shaping,
    windows,
)
from converter.source.keras.operators.table import last, spells

__all__ = ["last", "spells"]
