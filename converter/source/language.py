"""What a writer has to know of a framework's language."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING, Any, Protocol

import onnx_ir as ir

from converter.graph.structure.layers import Layer
from converter.graph.structure.tree import Step
from converter.source.expressions import Text
from converter.source.made import Made
from converter.source.view import View

if TYPE_CHECKING:
    from converter.source.body import Body


class Language(Protocol):
    """How a framework spells what is no Python."""

    names_members: bool
    """Whether a member is told its name when it is made."""
    builds_members: bool
    """Whether a member has its weights only once it is built: a call in a branch may not come."""
    maximum: str
    minimum: str
    """Functions that return the larger and the smaller of two sizes."""
    attributes: frozenset[str]
    """What every object of the framework has already: no member may be called so."""

    def takes(self, layer: Layer) -> bool:
        """Tell whether the framework has such a layer."""

    def constructor(self, layer: Layer) -> Made:
        """Return how a layer is made."""

    @property
    def names(self) -> set[str]:
        """What means something in the whole module; it grows while the module is written."""

    def define(self, name: str) -> None:
        """Take a name for the whole module."""

    def spell(self, view: View) -> Text | None:
        """Return a node's expression, ``None`` where no single one says it."""

    def shape(self, value: Text, axis: int) -> Text:
        """Return the size of a tensor's axis."""

    def scalar(self, text: Text, dtype: ir.DataType) -> Text:
        """Return a size as an operand of arithmetic on tensors."""

    def tensor(self, view: View, value: Any, dtype: ir.DataType) -> Text:
        """Return a tensor of numbers that are known."""

    def repeated(self, item: str, count: int) -> str:
        """Return a list of members that are all made alike."""

    def listed(self, items: list[str]) -> str:
        """Return a list of members."""

    def mapped(self, items: dict[str, str]) -> str:
        """Return members by their numbers, which have gaps."""

    def hold(self, value: ir.Value, name: str) -> str:
        """Return the statement that makes room for a weight or constant of a class itself."""

    def function(self, function: FunctionType) -> str:
        """Write a function of ours into the module; returns what it is called."""

    def written_out(self, view: View) -> Text:
        """Return the call of a function that is written from the operator's handler."""

    def on_host(self, view: View, index: int) -> Text:
        """Return the numbers of an input that only a run tells, as a handler takes them."""

    def control(self, body: Body, step: Step) -> None:
        """Write the statements of a branch or a loop."""
