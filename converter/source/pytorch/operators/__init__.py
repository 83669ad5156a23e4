"""How PyTorch spells an operator: one expression in the language's own words."""

from __future__ import annotations

from converter.source.pytorch.operators import (  # noqa: F401  each enters its spellers
    activations,
    arithmetic,
    making,
    reductions,
    shaping,
    windows,
)
from converter.source.pytorch.operators.table import spells

__all__ = ["spells"]
