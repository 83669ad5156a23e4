"""How a layer of a framework is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from converter.graph.structure.weights import Weight
from converter.source.expressions import Text

REQUIRED = object()
"""In place of the default of an argument that has none."""


@dataclass(frozen=True)
class Argument:
    """An argument of a constructor; one without a default goes without its name."""

    name: str
    value: Any
    default: Any = REQUIRED


Arguments = list[Argument]


@dataclass(frozen=True)
class Made:
    """A layer as the framework has it.

    Attributes:
        class_name: as the module writes it: ``nn.Conv2d``.
        arguments: of its constructor.
        weights: by the framework's name, with the axes in the framework's order.
        fills: numbers that the layer has and the source has not, by name.
        given: makes what the layer is called with of its input, e.g. pads it.
        taken: makes the result of what the layer returns.
        suffix: stands behind the constructor: ``.requires_grad_(False)``.
    """

    class_name: str
    arguments: Arguments
    weights: dict[str, Weight]
    fills: dict[str, np.ndarray] = field(default_factory=dict)
    given: Callable[[Text], Text] | None = None
    taken: Callable[[Text], Text] | None = None
    suffix: str = ""
