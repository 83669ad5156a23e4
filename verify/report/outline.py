"""A graph as pictures show it: operators, what they read, and the module that each belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from converter.naming import free

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True)
class OutlineNode:
    """An operator, an input or a weight.

    Attributes:
        name: unique; the module path, then its own name, with ``/`` between the parts.
        op: the operator, ``Input`` or ``Weight``.
        inputs: names of the nodes that it reads; ``name:1`` is a second output.
        dtype: of its first output, ``""`` if not known.
        shape: of its first output; a word is a dynamic dimension; ``None``: not known.
        facts: what else there is to know, e.g. its source line.
    """

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    dtype: str = ""
    shape: tuple[int | str, ...] | None = None
    facts: tuple[tuple[str, str], ...] = ()


def outline(model: ir.Model) -> tuple[OutlineNode, ...]:
    """Return the nodes of a graph, bodies of loops and branches included, in order."""
    return tuple(_Outliner().graph(model.graph, ""))


class _Outliner:
    """Gives every value the name by which a picture refers to it."""

    def __init__(self) -> None:
        self.used: set[str] = set()
        self.names: dict[ir.Value, str] = {}

    def graph(self, graph: ir.Graph | ir.Function, scope: str) -> Iterator[OutlineNode]:
        for value in graph.inputs:
            yield self._value(value, "Input", scope)
        for value in getattr(graph, "initializers", {}).values():
            if value not in self.names:
                yield self._value(value, "Weight", scope)
        for node in graph:
            yield from self._node(node, scope)

    def _value(self, value: ir.Value, op: str, scope: str) -> OutlineNode:
        path = (value.name or op).replace(".", "/") if op == "Weight" else value.name or op
        name = self.names[value] = self._unique(f"{scope}{path}")
        return OutlineNode(name, op, (), *_type(value))

    def _node(self, node: ir.Node, scope: str) -> Iterator[OutlineNode]:
        path = node.metadata_props.get("equiport.module_path", "").replace(".", "/")
        own = node.name or node.op_type
        name = self._unique(f"{scope}{path}/{own}" if path else f"{scope}{own}")
        for place, value in enumerate(node.outputs):
            self.names[value] = f"{name}:{place}" if place else name
        bodies = [(key, body) for key, attribute in node.attributes.items()
                  for body in _graphs(attribute)]  # fmt: skip
        for key, body in bodies:
            yield from self.graph(body, f"{name}/{key}/")
        read = [value for value in node.inputs if value is not None]
        read += [value for _, body in bodies for value in body.outputs]
        facts = [(key, text) for key, text in sorted(node.metadata_props.items())
                 if key.startswith("equiport.")]  # fmt: skip
        op = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
        inputs = tuple(self.names[value] for value in read if value in self.names)
        kind = _type(node.outputs[0]) if node.outputs else ("", None)
        yield OutlineNode(name, op, inputs, *kind, tuple(facts))

    def _unique(self, text: str) -> str:
        """Return a name of the characters that pictures of graphs allow, and no other's."""
        name = re.sub(r"[^A-Za-z0-9_.\-/]+", "_", text).strip("/")
        name = name if re.match(r"[A-Za-z0-9.]", name) else f"n{name}"
        unique = free(name, self.used)
        self.used.add(unique)
        return unique


def _type(value: ir.Value) -> tuple[str, tuple[int | str, ...] | None]:
    dtype = value.dtype.name.lower() if value.dtype is not None else ""
    if value.shape is None:
        return dtype, None
    return dtype, tuple(d if isinstance(d, int) else str(d.value or "?") for d in value.shape)


def _graphs(attribute: ir.Attr) -> list[ir.Graph]:
    import onnx_ir as ir

    if attribute.is_ref():
        return []
    if attribute.type is ir.AttributeType.GRAPH:
        return [attribute.as_graph()]
    return list(attribute.as_graphs()) if attribute.type is ir.AttributeType.GRAPHS else []
