"""What a writer hands over."""

from __future__ import annotations

from dataclasses import dataclass, field

from converter.graph.structure.weights import Weight


@dataclass
class Written:
    """A module as text, and the tensors that it loads.

    Attributes:
        text: of the module, formatted.
        weights: name in the module's ``state_dict`` to the source's weight, turned.
        constants: name of a buffer that is no weight to its value in the graph.
        zeros: integer buffers that count and begin at 0.
    """

    text: str
    weights: dict[str, Weight] = field(default_factory=dict)
    constants: dict[str, object] = field(default_factory=dict)
    ties: dict[str, str] = field(default_factory=dict)
