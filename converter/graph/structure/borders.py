"""What turns a model's inputs and outputs stands outside of its modules.

Where the axes have another order inside than outside, the first module that reads an input would
turn it, and the last one would give its result back twice, turned and not.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.graph.structure.scopes import MODULE_PATH
from converter.rebuild.prepare import plain_domain


def turn_outside(model: ir.Model) -> None:
    """Take transpositions of inputs and of outputs alone out of their modules; in place."""
    inputs, outputs = set(model.graph.inputs), set(model.graph.outputs)
    for node in model.graph:
        if node.op_type != "Transpose" or plain_domain(node.domain):
            continue
        (result,) = node.outputs
        if node.inputs[0] in inputs or (result in outputs and not result.uses()):
            node.metadata_props.pop(MODULE_PATH, None)
