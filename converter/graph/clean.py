"""Take out what a trace leaves behind; nothing here touches a weight or a number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import onnx_ir as ir
from onnx_ir.passes.common import (
    IdentityEliminationPass,
    InlinePass,
    RemoveUnusedNodesPass,
)

from converter.graph.repeated import drop_repeated


def clean(model: ir.Model) -> ir.Model:
    """Inline functions, drop identities, dead nodes and repeated sub-expressions; in place.

    Weights that nothing reads stay: the target has the source's names, all of them.
    """
    with keeping_weights(model), keeping_outputs(model):
        for step in (InlinePass(), RemoveUnusedNodesPass(), _WithoutIdentities()):
            step(model)
        drop_repeated(model.graph)
        RemoveUnusedNodesPass()(model)
    return model


class _WithoutIdentities(IdentityEliminationPass):
    """Drops identities, but for one that makes an output of what is an output already, or of a
    value from outside of its body."""

    def _try_eliminate_identity_node(self, node: ir.Node) -> bool:
        value = node.inputs[0] if node.inputs else None
        if node.outputs[0].is_graph_output() and value is not None:
            producer = value.producer()
            if value.is_graph_output() or producer is None or producer.graph is not node.graph:
                return False
        return super()._try_eliminate_identity_node(node)


@contextmanager
def keeping_weights(model: ir.Model) -> Iterator[None]:
    """Put weights that a pass takes out as unused back, and all of them in their order."""
    weights = weights_of(model)
    yield
    known = set(weights)
    constants = [v for v in model.graph.initializers.values() if v not in known]
    model.graph.initializers.clear()
    for value in (*weights, *constants):
        model.graph.register_initializer(value)


@contextmanager
def keeping_outputs(model: ir.Model) -> Iterator[None]:
    """Give outputs their names back where a pass made one value of two that are equal."""
    names = [value.name for value in model.graph.outputs]
    yield
    seen: set[ir.Value] = set()
    for index, (value, name) in enumerate(zip(list(model.graph.outputs), names, strict=True)):
        if value in seen:
            node = ir.node("Identity", [value])
            node.outputs[0].type, node.outputs[0].shape = value.type, value.shape
            model.graph.append(node)
            model.graph.outputs[index] = value = node.outputs[0]
        seen.add(value)
        value.name = name


def weights_of(model: ir.Model) -> list[ir.Value]:
    """Return the initializers that are parameters or buffers of the source, in order."""
    return [
        value
        for value in model.graph.initializers.values()
        if "equiport.role" in value.metadata_props
    ]
