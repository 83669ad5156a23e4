"""Complex numbers: inside of a graph they are pairs of reals; at its border they are refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.export.graph_signature import InputKind, OutputKind

from converter.errors import TraceError
from converter.trace.pytorch.provenance import source_line


def refuse_complex(program: torch.export.ExportedProgram, keep_paths: bool = False) -> None:
    """Refuse inputs, outputs and weights that are complex; ONNX's operators take none.

    Raises:
        TraceError: names each, with the line that makes it.
    """
    found = list(complex_values(program))
    if not found:
        return
    names = ", ".join(f"{what} {name!r} ({dtype})" for what, name, dtype, _ in found)
    node = found[0][3]
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    raise TraceError(
        f"complex numbers go in or out of the model: {names}; ONNX has no operators for them",
        module_path=stack[-1][0] if stack else None,
        source_line=source_line(node.meta.get("stack_trace") or "", keep_paths) or None,
        hint="Pass pairs of real numbers over the border: torch.view_as_real(result) at an output, "
        "torch.view_as_complex(input) at an input.",
    )


def complex_values(
    program: torch.export.ExportedProgram,
) -> Iterator[tuple[str, str, str, torch.fx.Node]]:
    """Yield kind, name, dtype and node of each complex value at the border."""
    nodes = {node.name: node for node in program.graph.nodes}
    signature: Any = program.graph_signature
    kinds = {InputKind.USER_INPUT: "input", OutputKind.USER_OUTPUT: "output"}
    for spec in (*signature.input_specs, *signature.output_specs):
        node = nodes.get(getattr(spec.arg, "name", None))
        if spec.kind not in kinds or node is None:
            continue
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and value.dtype.is_complex:
            yield kinds[spec.kind], node.name, str(value.dtype).removeprefix("torch."), node
