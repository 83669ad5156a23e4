"""Take out what a trace leaves behind; nothing here touches a weight or a number."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import (
    CommonSubexpressionEliminationPass,
    IdentityEliminationPass,
    InlinePass,
    RemoveUnusedNodesPass,
)


def clean(model: ir.Model) -> ir.Model:
    """Inline functions, drop identities, dead nodes and repeated sub-expressions; in place."""
    for step in (
        InlinePass(),
        RemoveUnusedNodesPass(),
        IdentityEliminationPass(),
        CommonSubexpressionEliminationPass(),
        RemoveUnusedNodesPass(),
    ):
        step(model)
    return model
