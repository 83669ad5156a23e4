"""Take out what a trace leaves behind; nothing here touches a weight or a number."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import onnx_ir as ir
from onnx_ir.passes.common import (
    CommonSubexpressionEliminationPass,
    IdentityEliminationPass,
    InlinePass,
    RemoveUnusedNodesPass,
)


def clean(model: ir.Model) -> ir.Model:
    """Inline functions, drop identities, dead nodes and repeated sub-expressions; in place.

    Weights that nothing reads stay: the target has the source's names, all of them.
    """
    with keeping_weights(model):
        for step in (
            InlinePass(),
            RemoveUnusedNodesPass(),
            IdentityEliminationPass(),
            CommonSubexpressionEliminationPass(),
            RemoveUnusedNodesPass(),
        ):
            step(model)
    return model


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


def weights_of(model: ir.Model) -> list[ir.Value]:
    """Return the initializers that are parameters or buffers of the source, in order."""
    return [
        value
        for value in model.graph.initializers.values()
        if "equiport.role" in value.metadata_props
    ]
