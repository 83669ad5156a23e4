"""Which nodes of a graph are layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import onnx_ir as ir

from converter.graph.structure.layers import CHANNELS_LAST, KINDS, Layer
from converter.graph.structure.parts import OF_PARTS
from converter.graph.structure.recurrent import RECURRENT, recurrent
from converter.rebuild.prepare import plain_domain, version_of


def layers_of(model: ir.Model, takes: Callable[[Layer], bool]) -> dict[ir.Node, Layer]:
    """Return the layers of a model's graph, by every node that they stand for.

    Args:
        takes: whether the framework has such a layer.
    """
    found: dict[ir.Node, Layer] = {}
    for node in model.graph.all_nodes():
        if node in found:
            continue
        for layer in _candidates(node, model):
            if takes(layer) and all(_is_at_hand(value, found) for value in layer.inputs):
                found |= dict.fromkeys(layer.nodes, layer)
                break
    return found


def _is_at_hand(value: ir.Value, found: dict[ir.Node, Layer]) -> bool:
    """Tell whether a value is not inside a layer that was found before."""
    node = value.producer()
    return node is None or node not in found or value in found[node].outputs


def _candidates(node: ir.Node, model: ir.Model) -> Iterable[Layer]:
    """Yield the layers that a node may be part of, best first."""
    domain = plain_domain(node.domain)
    if node.op_type in RECURRENT and not domain:
        yield from recurrent(node, model)
        return
    since, recognise = KINDS.get(node.op_type, (0, None))
    if recognise is None or domain not in ("", CHANNELS_LAST):
        return
    if not domain and version_of(node, model) < since:
        return
    layer = recognise(node)
    if layer is None and (of_parts := OF_PARTS.get(node.op_type)) is not None:
        layer = of_parts(node, model)
    if layer is not None:
        yield layer
