"""Rules that find layers in arithmetic: what a framework wrote out becomes one ONNX operator again.

Each rule looks at one node, and either puts an operator in its place that means the same for all
inputs, or leaves it. Weights stay the initializers that they are.
"""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from converter.graph.clean import keeping_weights
from converter.graph.structure.rules import (
    dense,
    einsum,
    embedding,
    gelu,
    heads,
    normalization,
    sequence,
)

RULES = (
    normalization.recover, dense.recover, einsum.recover, heads.recover, gelu.recover,
    embedding.recover, sequence.recover,
)  # fmt: skip


def recover(model: ir.Model) -> int:
    """Apply all rules, in place; returns how many layers were found.

    Shapes and types must have been inferred. What they put in has none: infer them again.
    """
    found = 0
    for node in list(model.graph):
        if node.graph is not None:
            found += any(rule(node) for rule in RULES)
    if found:
        with keeping_weights(model):
            RemoveUnusedNodesPass()(model)
    return found
