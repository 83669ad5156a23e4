"""Take everything away by which a mutant could be compared by name."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir


def scramble(model: ir.Model, generator: np.random.Generator) -> None:
    """Rename, in place, every node and value but the inputs and outputs of the graph.

    The names are random numbers. Provenance, documentation and the shapes of what lies between go
    as well, and so do nodes and constants that nothing reads any more.
    """
    _remove_unused(model.graph)
    graph = model.graph
    kept = {id(value) for value in (*graph.inputs, *graph.outputs)}
    values = [value for value in graph.initializers.values() if id(value) not in kept]
    nodes = list(graph.all_nodes())
    for inner in graph.subgraphs():
        if inner is not graph:
            values += [*inner.inputs, *inner.initializers.values()]
    inner_outputs = {
        id(value) for inner in graph.subgraphs() if inner is not graph for value in inner.outputs
    }
    for node in nodes:
        for value in node.outputs:
            if id(value) in kept:
                continue
            if id(value) not in inner_outputs:
                value.shape = value.type = None
            if value.name:
                values.append(value)
    unique = {id(value): value for value in values}
    for number, value in zip(generator.permutation(len(unique)), unique.values(), strict=True):
        value.name = f"v{number}"
        value.metadata_props.clear()
        value.doc_string = None
    for number, node in zip(generator.permutation(len(nodes)), nodes, strict=True):
        node.name = f"n{number}"
        node.metadata_props.clear()
        node.doc_string = None
    model.metadata_props.clear()
    graph.name, graph.doc_string = "mutant", None


def _remove_unused(graph: ir.Graph) -> None:
    for node in reversed(list(graph)):
        if not any(value.uses() or value.is_graph_output() for value in node.outputs):
            graph.remove(node, safe=True)
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            del graph.initializers[name]
