"""Bring the operators of opset 6 to what they are from opset 8 on.

Opset 7 replaced the attributes ``axis`` and ``broadcast`` by NumPy's broadcasting and took the
flags for test mode out. What opset 8 changed on top only widens what is allowed, so one step covers
both.
"""

from __future__ import annotations

import onnx_ir as ir

from converter.errors import RebuildError

OLDEST, NEWEST = 6, 8
_BINARY = frozenset(
    {"Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Greater", "Less"}
)
_DROPPED = {
    "BatchNormalization": ("is_test", "consumed_inputs"),
    "Dropout": ("is_test",),
    "Gemm": ("broadcast",),
}


def modernise(model: ir.Model) -> ir.Model:
    """Rewrite a model of opset 6 or 7 as one of opset 8; others stay as they are. In place.

    Raises:
        RebuildError: an operand whose rank is unknown is to be aligned to an axis.
    """
    imports = model.graph.opset_imports
    domain = "" if "" in imports else "ai.onnx"
    opset = imports.get(domain, NEWEST)
    if not OLDEST <= opset < NEWEST:
        return model
    if opset < 7:
        for node in list(model.graph.all_nodes()):
            if node.domain in ("", "ai.onnx"):
                _modernise_node(node)
    imports[domain] = NEWEST
    return model


def _modernise_node(node: ir.Node) -> None:
    for name in _DROPPED.get(node.op_type, ()):
        node.attributes.pop(name, None)
    if node.op_type in _BINARY:
        axis = node.attributes.pop("axis", None)
        node.attributes.pop("broadcast", None)
        if axis is not None:
            _align(node, axis.as_int())
    elif node.op_type == "PRelu" and _size(node.inputs[1]) != 1:
        _align(node, 1)


def _size(value: ir.Value | None) -> int | None:
    shape = None if value is None else value.shape
    return None if shape is None or len(shape) != 1 else shape[0]  # type: ignore[return-value]


def _align(node: ir.Node, axis: int) -> None:
    """Append axes to the second operand so that it starts at the first one's ``axis``."""
    first, second = node.inputs[:2]
    if first is None or second is None or first.shape is None or second.shape is None:
        raise RebuildError(
            f"{node.op_type} of opset 6 aligns its second operand to axis {axis} of unknown ranks",
            node=node.name,
            hint="Bring the model to opset 7 or newer with onnx.version_converter.",
        )
    rank = len(first.shape)
    missing = rank - (axis % rank) - len(second.shape)
    if missing <= 0:
        return
    own = len(second.shape)
    name = f"{node.outputs[0].name}_aligned"
    unsqueeze = ir.node("Unsqueeze", [second], {"axes": list(range(own, own + missing))}, name=name)
    aligned = unsqueeze.outputs[0]
    aligned.name, aligned.type = name, second.type
    aligned.shape = ir.Shape([*second.shape, *[1] * missing])
    node.graph.insert_before(node, unsqueeze)  # type: ignore[union-attr]
    node.replace_input_with(1, aligned)
