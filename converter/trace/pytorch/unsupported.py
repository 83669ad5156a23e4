"""List every operator of an exported program that `torch.onnx` cannot write down."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.utils import _pytree as pytree

from converter.errors import UnsupportedOp
from converter.trace.pytorch.defaults import write_defaults
from converter.trace.pytorch.limits import beyond
from converter.trace.pytorch.promotion import values
from converter.trace.pytorch.provenance import source_line
from converter.trace.pytorch.registry import OPSET, registry
from converter.trace.pytorch.unread import arguments_of, dropped

ASSERTIONS = {
    torch.ops.aten.sym_constrain_range_for_size.default,
    torch.ops.aten._assert_async.default,
    torch.ops.aten._assert_async.msg,
    torch.ops.aten._assert_scalar.default,
    torch.ops.aten._assert_tensor_metadata.default,
}
"""Checks of the inputs, which `torch.onnx` leaves out."""


def unwritable(
    program: torch.export.ExportedProgram, keep_paths: bool = False
) -> list[UnsupportedOp]:
    """Return the calls that cannot be written as ONNX, each where the user wrote it.

    The others get the defaults that their translation wants.

    Args:
        program: what `torch.export` made, decomposed to operators that have translations.
    """
    from torch.onnx._internal.exporter import _dispatching

    found = []
    for node in operator_nodes(program.graph_module):
        if node.target in ASSERTIONS:
            continue
        translation, _ = _dispatching.dispatch(node, registry())
        if translation is None:
            found.append(
                describe(node, keep_paths, f"({number})" if (number := complex_of(node)) else "")
            )
        elif arguments := dropped(node, translation):
            found.append(describe(node, keep_paths, f"({', '.join(arguments)})"))
        elif limit := beyond(node.target, values(arguments_of(node))):
            found.append(describe(node, keep_paths, f"({limit})"))
        else:
            write_defaults(node, translation)
    return found


def complex_of(node: torch.fx.Node) -> str:
    """Return the complex dtype that a call takes, if it takes one."""
    for value in pytree.tree_leaves(values((node.args, node.kwargs))):
        if isinstance(value, torch.Tensor) and value.dtype.is_complex:
            return str(value.dtype).removeprefix("torch.")
    return ""


def operator_nodes(module: torch.fx.GraphModule) -> Iterator[torch.fx.Node]:
    """Yield the calls of operators, those in branches and loop bodies included."""
    for graph in module.modules():
        if isinstance(graph, torch.fx.GraphModule):
            for node in graph.graph.nodes:
                if node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload):
                    yield node


def describe(node: torch.fx.Node, keep_paths: bool, arguments: str = "") -> UnsupportedOp:
    """Say which operator it is and where it comes from, in the user's names."""
    operator = node.meta.get("original_aten") or node.target
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return UnsupportedOp(
        op=str(operator) + arguments,
        version=OPSET,
        node=node.name,
        module_path=stack[-1][0] if stack else "",
        source_line=source_line(node.meta.get("stack_trace") or "", keep_paths),
    )
