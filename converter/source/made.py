"""How a layer of a framework is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from converter.graph.structure.assembled import AnyWeight
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
class Output:
    """A value that a layer gives, by the parts of what it returns.

    Attributes:
        parts: their words.
        joined: makes the value of the parts; without it the value is the one part.
    """

    parts: tuple[str, ...]
    joined: Callable[..., Text] | None = None


@dataclass(frozen=True)
class Returned:
    """What a layer returns that gives several values.

    Attributes:
        parts: words for them, nested as the layer nests them: ``("outputs", ("h", "c"))``.
        outputs: the values, in the order of the layer's outputs.
    """

    parts: tuple[Any, ...]
    outputs: list[Output]


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
        returned: how the result of a layer that gives several values is taken apart.
        around: what is made of the layer itself, with ``{}`` in its place.
    """

    class_name: str
    arguments: Arguments
    weights: Mapping[str, AnyWeight]
    fills: dict[str, np.ndarray] = field(default_factory=dict)
    given: Callable[[Text], Text] | None = None
    taken: Callable[[Text], Text] | None = None
    returned: Returned | None = None
    around: str = "{}"
