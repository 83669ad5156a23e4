"""Export a rebuilt module with its dynamic dimensions, without a trace of this machine."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import torch

from converter.errors import RebuildError
from converter.formats.reading import one_line
from converter.formats.torch_signature import dim_of
from converter.signature import Signature
from converter.trace.pytorch.examples import Example, from_signature, parameters_of

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')


def export(module: torch.nn.Module, signature: Signature) -> torch.export.ExportedProgram:
    """Export a module; the dimensions that ``signature`` declares dynamic stay dynamic.

    Raises:
        RebuildError: the rebuilt module fixes one of them, or cannot be exported.
    """
    names = [parameter.name for parameter in parameters_of(module)]
    own = replace(  # an input's name need not be a Python identifier; its argument's is
        signature,
        inputs=tuple(
            replace(spec, name=name, dtype=spec.carried_as or spec.dtype)
            for spec, name in zip(signature.inputs, names, strict=True)
        ),
    )
    example = from_signature(module, own)
    try:
        program = run_export(module, example)
    except Exception as error:
        program = with_inferred_dims(module, example, error)
    check_dynamic(program, signature)
    for graph_module in program.graph_module.modules():
        if isinstance(graph_module, torch.fx.GraphModule):
            forget_paths(graph_module)
    return program


def run_export(module: torch.nn.Module, example: Example) -> torch.export.ExportedProgram:
    """Run `torch.export`, so that an open size may be anything, 1 too.

    Otherwise PyTorch's own checks of memory layout ask whether a size is 1, and the program would
    be refused at sizes from which a strided convolution or a pool makes 1.
    """
    from torch.fx.experimental import _config

    oblivious: Any = _config
    with oblivious.patch(backed_size_oblivious=True):
        return torch.export.export(
            module,
            example.args,
            example.kwargs or None,
            dynamic_shapes=example.dynamic_shapes,
            strict=False,
        )


def with_inferred_dims(
    module: torch.nn.Module, example: Example, refusal: Exception
) -> torch.export.ExportedProgram:
    """Try again, and let `torch.export` find relations between dimensions, such as ``2 * n``."""
    try:
        return run_export(module, replace(example, dynamic_shapes=_auto(example.dynamic_shapes)))
    except Exception as error:
        raise RebuildError(
            f"the rebuilt module cannot be exported: {one_line(refusal)}",
            hint="Give sizes in place of some words in --input, or use the live module in Python.",
        ) from error


def _auto(shapes: Any) -> Any:
    if isinstance(shapes, torch.export.Dim):
        return torch.export.Dim.AUTO
    if isinstance(shapes, dict):
        return {key: _auto(item) for key, item in shapes.items()}
    if isinstance(shapes, tuple | list):
        return tuple(map(_auto, shapes))
    return shapes


def check_dynamic(program: torch.export.ExportedProgram, signature: Signature) -> None:
    """Compare the program's input shapes with the declared ones.

    Raises:
        RebuildError: a dimension that was declared dynamic has become a size.
    """
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    for name, spec in zip(program.graph_signature.user_inputs, signature.inputs, strict=True):
        for size, dim in zip(map(dim_of, values[name].shape), spec.shape or (), strict=False):
            if isinstance(dim, str) and isinstance(size, int):
                raise RebuildError(
                    f"the rebuilt module fixes the dimension {dim!r} of input {spec.name!r} "
                    f"at {size}",
                    hint=f"Write {size} in place of {dim} in --input.",
                )


def forget_paths(graph_module: torch.fx.GraphModule) -> None:
    """Take folders out of the nodes' stack traces; file names and lines stay."""
    for node in graph_module.graph.nodes:
        trace = node.meta.get("stack_trace")
        if trace:
            node.meta["stack_trace"] = _FRAME.sub(_relative, trace)


def _relative(match: re.Match[str]) -> str:
    name = match["file"].replace("\\", "/").rpartition("/")[2]
    return f'File "{name}", line {match["line"]}'
