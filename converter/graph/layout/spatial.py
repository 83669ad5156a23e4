"""Rewrite ONNX's spatial operators into their channels-last twins, a `Transpose` on either side."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from converter.graph.layout.permutation import (
    add_constant,
    describe,
    to_first,
    to_last,
    transpose,
)

DOMAIN = "equiport"
WITH_KERNEL = frozenset({"Conv", "ConvTranspose"})
WINDOWED = frozenset({"AveragePool", "MaxPool"})
PER_CHANNEL = frozenset({"BatchNormalization"})
GLOBAL = {"GlobalAveragePool": "ReduceMean", "GlobalMaxPool": "ReduceMax"}
RANKS = (3, 4, 5)


def channels_last(model: ir.Model) -> ir.Model:
    """Give every spatial operator whose rank is known the channels-last layout; in place.

    A convolution's weight ``[out, in / group, spatial...]`` gets a `Transpose` to
    ``[spatial..., in / group, out]``, which the weight itself absorbs later on.
    """
    rewritten = [rewrite(node) for node in list(model.graph)]
    if any(rewritten):
        model.graph.opset_imports[DOMAIN] = 1
    return model


def rewrite(node: ir.Node) -> bool:
    """Rewrite one node if it is a spatial operator; tell whether it was."""
    if node.domain not in ("", "ai.onnx") or not node.inputs or node.inputs[0] is None:
        return False
    value = node.inputs[0]
    rank = len(value.shape) if value.shape is not None else 0
    wanted = [output for output in node.outputs[1:] if output.uses() or output.is_graph_output()]
    if rank not in RANKS or wanted:
        return False
    if node.op_type in GLOBAL:
        return pool_globally(node, value, rank)
    if node.op_type in WITH_KERNEL:
        kernel = node.inputs[1]
        if kernel is None or kernel.shape is None:
            return False
        order = (*range(2, rank), 1, 0)
        return replace(
            node, [*node.inputs[:1], transpose(kernel, order, node, node), *node.inputs[2:]]
        )
    if node.op_type in PER_CHANNEL:
        training, spatial = (node.attributes.get(n) for n in ("training_mode", "spatial"))
        own = (training and training.as_int()) or (spatial and not spatial.as_int())
        return not own and replace(node, list(node.inputs))
    if node.op_type in WINDOWED:
        return replace(node, list(node.inputs))
    return False


def replace(node: ir.Node, inputs: list[ir.Value | None]) -> bool:
    """Put the channels-last twin in the node's place."""
    value, output = inputs[0], node.outputs[0]
    assert value is not None
    assert value.shape is not None
    rank = len(value.shape)
    inputs[0] = transpose(value, to_last(rank), node, node)
    dropped = ("training_mode", "storage_order", "spatial")
    attributes = [a for a in node.attributes.values() if a.name not in dropped]
    twin = ir.Node(DOMAIN, node.op_type, inputs, attributes, num_outputs=1, name=node.name)
    finish(node, twin, output, rank)
    return True


def pool_globally(node: ir.Node, value: ir.Value, rank: int) -> bool:
    """Write a global pooling as the reduction that it is."""
    last = transpose(value, to_last(rank), node, node)
    axes = list(range(1, rank - 1))
    assert node.graph is not None
    opset = node.graph.opset_imports.get("", 18)
    if opset >= 18:
        spatial = add_constant(np.array(axes, np.int64), node)
        twin = ir.node(GLOBAL[node.op_type], [last, spatial], attributes={"keepdims": 1})
    else:
        twin = ir.node(GLOBAL[node.op_type], [last], attributes={"axes": axes, "keepdims": 1})
    twin.name = node.name
    finish(node, twin, node.outputs[0], rank)
    return True


def finish(node: ir.Node, twin: ir.Node, output: ir.Value, rank: int) -> None:
    """Put ``twin`` and the transposition back to channels first in the node's place."""
    graph = node.graph
    assert graph is not None
    twin.metadata_props.update(node.metadata_props)
    describe(twin.outputs[0], output, to_last(rank))
    graph.insert_before(node, twin)
    back = ir.node("Transpose", [twin.outputs[0]], attributes={"perm": list(to_first(rank))})
    back.metadata_props.update(node.metadata_props)
    name = output.name
    take_over(node, output, back)
    back.outputs[0].name = name
    twin.outputs[0].name = f"{name}_last"


def take_over(node: ir.Node, output: ir.Value, successor: ir.Node) -> None:
    """Let ``successor``'s result stand for ``output`` everywhere, and drop ``node``."""
    graph = node.graph
    assert graph is not None
    result = successor.outputs[0]
    result.type, result.shape = output.type, output.shape
    graph.insert_before(node, successor)
    output.replace_all_uses_with(result, replace_graph_outputs=True)
    output.name = None
    graph.remove(node, safe=True)
