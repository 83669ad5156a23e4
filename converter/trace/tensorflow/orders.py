"""Find inputs whose elements must stand in an order: ids of segments, borders between values."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir
from tensorflow.core.framework import graph_pb2

from converter.graph.orders import RISING, SEGMENTS, declare_order

_KINDS = ("Sum", "Mean", "Prod", "Max", "Min")
_SPARSE = ("Sum", "Mean", "SqrtN")

_READERS: dict[str, tuple[int, str]] = {
    **{f"Segment{kind}": (1, SEGMENTS) for kind in _KINDS},
    **{f"Segment{kind}V2": (1, RISING) for kind in _KINDS},
    **{f"SparseSegment{kind}": (2, SEGMENTS) for kind in _SPARSE},
    **{f"SparseSegment{kind}WithNumSegments": (2, RISING) for kind in _SPARSE},
    "LowerBound": (0, RISING),
    "UpperBound": (0, RISING),
}
"""Operators, the place of the input that has an order, and which."""

_SAME_VALUES = frozenset({"Cast", "ExpandDims", "Identity", "Reshape", "Snapshot", "Squeeze"})
"""Operators whose result holds the first input's elements in their order."""


def declare_orders(
    values: Sequence[ir.Value], names: Sequence[str], graph_def: graph_pb2.GraphDef
) -> None:
    """Note the orders at the graph's inputs; in place.

    Args:
        names: of the inputs in TensorFlow's graph.
    """
    orders = orders_of(graph_def)
    for value, name in zip(values, names, strict=False):
        if (order := orders.get(_node_name(name))) is not None:
            declare_order(value, order)


def orders_of(graph_def: graph_pb2.GraphDef) -> dict[str, str]:
    """Return the order of each placeholder that has one, by the placeholder's name."""
    nodes = {node.name: node for node in graph_def.node}
    found: dict[str, str] = {}
    for node in graph_def.node:
        if node.op not in _READERS:
            continue
        place, order = _READERS[node.op]
        source = nodes.get(_node_name(node.input[place]))
        while source is not None and source.op in _SAME_VALUES:
            source = nodes.get(_node_name(source.input[0]))
        if source is not None and source.op == "Placeholder":
            found.setdefault(source.name, order)
    return found


def _node_name(tensor: str) -> str:
    return tensor.split(":")[0]
