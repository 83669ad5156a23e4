"""How a graph crosses between interpreters: an ONNX file with the record of its weights.

A trace knows an attribute such as ``epsilon`` as Python's float, of which ONNX keeps 24 bits; the
rest crosses in the node's metadata, so that the same artifact comes of it wherever it is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx_ir as ir

from converter.engines.native import weights_of
from converter.formats import onnx_file
from converter.record import Record
from converter.signature import Signature

EXACT = "equiport.exact."
"""Prefix of the metadata that hold a node's float attributes as they were, by their name."""

FLOATS = (ir.AttributeType.FLOAT, ir.AttributeType.FLOATS)


def write(graph: ir.Model, path: Path, signature: Signature, framework: str) -> None:
    """Write a graph; it stays as it is.

    Args:
        framework: the source's.
    """
    copy = graph.clone()
    for node in nodes(copy):
        for attribute in node.attributes.values():
            if attribute.type in FLOATS and not survives(attribute.value):
                node.metadata_props[EXACT + attribute.name] = json.dumps(attribute.value)
    record = Record(signature, weights_of(graph, graph), framework)
    onnx_file.save(copy, path, record)


def read(path: Path) -> ir.Model:
    """Return the graph as it was before it was written; weights are mapped, not read."""
    graph: ir.Model = onnx_file.load(path, trust=False, factory=None).model
    graph.metadata_props.pop(onnx_file.RECORD_KEY, None)
    for node in nodes(graph):
        for key in [key for key in node.metadata_props if key.startswith(EXACT)]:
            name, value = key.removeprefix(EXACT), json.loads(node.metadata_props.pop(key))
            kind = ir.AttributeType.FLOATS if isinstance(value, list) else ir.AttributeType.FLOAT
            node.attributes[name] = ir.Attr(name, kind, value)
    return graph


def nodes(graph: ir.Model) -> Iterator[ir.Node]:
    """Return all nodes, those of subgraphs and functions included."""
    yield from graph.graph.all_nodes()
    for function in graph.functions.values():
        yield from function.all_nodes()


def survives(value: float | tuple[float, ...]) -> bool:
    """Tell whether ONNX, which holds attributes in float32, holds a value as it is."""
    exact = np.asarray(value, np.float64)
    with np.errstate(over="ignore"):
        return bool(np.array_equal(exact.astype(np.float32), exact, equal_nan=True))
