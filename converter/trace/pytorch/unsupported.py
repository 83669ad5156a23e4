"""List every operator of an exported program that `torch.onnx` cannot write down."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from converter.errors import UnsupportedOp
from converter.trace.pytorch.provenance import source_line
from converter.trace.pytorch.registry import OPSET, registry


def untranslated(
    program: torch.export.ExportedProgram, keep_paths: bool = False
) -> list[UnsupportedOp]:
    """Return the operators without a translation, each where the user wrote it.

    Args:
        program: what `torch.export` made.
    """
    from torch.onnx._internal.exporter import _dispatching, _fx_passes

    decomposed = _fx_passes.decompose_with_registry(program, registry())
    return [
        describe(node, keep_paths)
        for node in operator_nodes(decomposed.graph_module)
        if _dispatching.dispatch(node, registry())[0] is None
    ]


def operator_nodes(module: torch.fx.GraphModule) -> Iterator[torch.fx.Node]:
    """Yield the calls of operators, those in branches and loop bodies included."""
    for graph in module.modules():
        if isinstance(graph, torch.fx.GraphModule):
            for node in graph.graph.nodes:
                if node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload):
                    yield node


def describe(node: torch.fx.Node, keep_paths: bool) -> UnsupportedOp:
    """Say which operator it is and where it comes from, in the user's names."""
    operator = node.meta.get("original_aten") or node.target
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return UnsupportedOp(
        op=str(operator).removeprefix("<OpOverload(op='"),
        version=OPSET,
        node=node.name,
        module_path=stack[-1][0] if stack else "",
        source_line=source_line(node.meta.get("stack_trace") or "", keep_paths),
    )
