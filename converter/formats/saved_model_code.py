"""Operators in a SavedModel that are more than a computation, or are not known to be one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from converter.formats.saved_model_operators import COMPUTING

CHECKPOINT = frozenset(
    "SaveV2 RestoreV2 MergeV2Checkpoints ShardedFilename CheckpointReader".split()
)
"""Every SavedModel has them for its variables; refused where a call of the model leads to them."""

_STREAMS = {"PrintV2": "output_stream"}
"""Operators that write to a file if this attribute says so."""


def findings(content: bytes) -> list[str]:
    """Return the operators to be refused and where they stand, in words.

    Args:
        content: the bytes of ``saved_model.pb``.

    Raises:
        google.protobuf.message.DecodeError: it is damaged.
        ValueError: it holds no graph.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString(content)
    if not saved.meta_graphs:
        raise ValueError("it holds no graph")
    found: dict[str, None] = {}
    for graph in saved.meta_graphs:
        functions = {item.signature.name: item for item in graph.graph_def.library.function}
        for place, node in every_node(graph.graph_def, functions):
            if node.op not in COMPUTING | CHECKPOINT or _writes(node):
                found[f"{node.op} ({place})"] = None
        for name in reachable(graph, functions):
            for node in functions[name].node_def:
                if node.op in CHECKPOINT:
                    found[f"{node.op} (function {name})"] = None
        for node in served(graph):
            if node.op in CHECKPOINT:
                found[f"{node.op} (node {node.name})"] = None
    return list(found)


def every_node(graph_def: Any, functions: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each node of the graph and of its functions, with where it stands."""
    for node in graph_def.node:
        yield f"node {node.name}", node
    for name, function in functions.items():
        for node in function.node_def:
            yield f"function {name}", node


def _writes(node: Any) -> bool:
    attribute = _STREAMS.get(node.op)
    if attribute is None or attribute not in node.attr:
        return False
    value = node.attr[attribute]
    return any(text.startswith((b"file:", b"grpc:")) for text in (value.s, *value.list.s))


def served(graph: Any) -> list[Any]:
    """Return the top-level nodes that the signatures' outputs need."""
    nodes = {node.name: node for node in graph.graph_def.node}
    waiting = [
        info.name
        for signature in graph.signature_def.values()
        for info in signature.outputs.values()
    ]
    needed: dict[str, Any] = {}
    while waiting:
        name = waiting.pop().lstrip("^").partition(":")[0]
        if name in nodes and name not in needed:
            needed[name] = nodes[name]
            waiting.extend(nodes[name].input)
    return list(needed.values())


def reachable(graph: Any, functions: dict[str, Any]) -> list[str]:
    """Return the functions that a call of the loaded model, or of a signature, may run.

    Those that save and restore the variables hang on the saver alone, so they are not among them.
    """
    waiting = [name for node in served(graph) for name in called(node)]
    waiting += list(graph.object_graph_def.concrete_functions)
    seen: dict[str, None] = {}
    while waiting:
        name = waiting.pop()
        if name in seen or name not in functions:
            continue
        seen[name] = None
        waiting.extend(called_by(functions[name].node_def))
    return list(seen)


def called_by(nodes: Iterable[Any]) -> list[str]:
    """Return the functions that nodes call."""
    return [name for node in nodes for name in called(node)]


def called(node: Any) -> list[str]:
    """Return the functions that a node's attributes name."""
    names = []
    for value in node.attr.values():
        if value.HasField("func"):
            names.append(value.func.name)
        names.extend(function.name for function in value.list.func)
    return names
