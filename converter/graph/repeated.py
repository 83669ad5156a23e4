"""Compute once what a graph computes twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx_ir as ir

DRAWING = frozenset(
    "Bernoulli Dropout Multinomial RandomNormal RandomNormalLike RandomUniform "
    "RandomUniformLike".split()
)
"""Operators that give something else at each call: two equal ones are two draws."""


def drop_repeated(graph: ir.Graph, known: dict[Any, ir.Node] | None = None) -> None:
    """Replace each node that does what an earlier one did; in place, bodies included.

    A body may use what stands before it in the graphs around it. What one body computes, another
    one does not see.
    """
    known = dict(known or {})
    for node in list(graph):
        for body in bodies(node):
            drop_repeated(body, known)
        content = content_of(node)
        if content is None:
            continue
        earlier = known.setdefault(content, node)
        if earlier is not node and not any(value.is_graph_output() for value in node.outputs):
            for mine, twin in zip(node.outputs, earlier.outputs, strict=True):
                twin.shape = twin.shape if twin.shape is not None else mine.shape
                twin.type = twin.type if twin.type is not None else mine.type
                mine.replace_all_uses_with(twin)
            graph.remove(node, safe=True)


def bodies(node: ir.Node) -> Iterator[ir.Graph]:
    """Yield the graphs that a node holds."""
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            yield attribute.as_graph()
        elif attribute.type == ir.AttributeType.GRAPHS:
            yield from attribute.as_graphs()


def content_of(node: ir.Node) -> Any:
    """Return what is equal for two nodes of one result; ``None`` if no other node stands for it."""
    if (node.domain == "" and node.op_type in DRAWING) or any(True for _ in bodies(node)):
        return None
    attributes = []
    for name, attribute in sorted(node.attributes.items()):
        value = attribute.value
        if isinstance(value, ir.TensorProtocol):
            if value.size > LARGE or value.dtype == ir.DataType.STRING:
                return None
            value = (value.dtype, tuple(value.shape), value.tobytes())
        elif isinstance(value, list | tuple):
            value = tuple(value)
            if any(isinstance(item, ir.TensorProtocol) for item in value):
                return None
        attributes.append((name, attribute.type, attribute.ref_attr_name, repr(value)))
    inputs = tuple(None if value is None else id(value) for value in node.inputs)
    return node.op_identifier(), len(node.outputs), inputs, tuple(attributes)


LARGE = 64
"""Elements of a constant that are compared; larger ones stay apart."""
