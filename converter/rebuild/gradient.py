"""Give the training operator `Gradient` the function that it differentiates.

ONNX's node names its inputs ``xs`` and the value ``y`` to differentiate; what lies between is in
the graph around it. Here that becomes the body of an operator of our own, a function of ``xs`` and
of whatever else it reads.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.errors import RebuildError

DOMAIN = "ai.onnx.preview.training"


def close_gradients(model: ir.Model) -> ir.Model:
    """Replace every `Gradient` by ``equiport.Gradient(*xs, *others, body=..., count=len(xs))``.

    In place.

    Raises:
        RebuildError: ``y`` is not a value of the graph.
    """
    for node in list(model.graph):
        if node.op_type == "Gradient" and node.domain == DOMAIN:
            _close(model.graph, node)
            model.graph.opset_imports["equiport"] = 1
    return model


def _close(graph: ir.Graph, node: ir.Node) -> None:
    xs = [value for value in node.inputs if value is not None]
    xs = xs[: len(node.attributes["xs"].as_strings())]
    y = next((v for v in _values(graph) if v.name == node.attributes["y"].as_string()), None)
    if y is None:
        raise RebuildError("Gradient names a value that the graph does not have", node=node.name)
    between = _between(graph, xs, y)
    inside = {output for each in between for output in each.outputs}
    read = {value: None for each in between for value in each.inputs if value is not None}
    others = [value for value in read if value not in inside and value not in xs]
    body = ir.convenience.extract(graph, [*xs, *others], [y])
    closed = ir.node(
        "Gradient",
        [*xs, *others],
        {"body": body, "count": len(xs)},
        domain="equiport",
        num_outputs=len(node.outputs),
        name=node.name,
    )
    ir.convenience.replace_nodes_and_values(
        graph, node, [node], [closed], node.outputs, closed.outputs
    )


def _values(graph: ir.Graph):
    yield from graph.inputs
    yield from graph.initializers.values()
    for node in graph:
        yield from node.outputs


def _between(graph: ir.Graph, xs: list[ir.Value], y: ir.Value) -> list[ir.Node]:
    """Return the nodes that ``y`` is computed by from ``xs``."""
    reached: set[ir.Value | None] = set(xs)
    forward = []
    for node in graph:
        if not reached.isdisjoint(node.inputs):
            forward.append(node)
            reached.update(node.outputs)
    wanted: set[ir.Value | None] = {y}
    found = []
    for node in reversed(forward):
        if not wanted.isdisjoint(node.outputs):
            found.append(node)
            wanted.update(value for value in node.inputs if value is not None)
    return found
