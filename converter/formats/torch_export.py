"""Export a rebuilt module with its dynamic dimensions, without a trace of this machine."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import torch

from converter.errors import NotExportable
from converter.formats.reading import one_line
from converter.formats.torch_demands import without_unneeded
from converter.formats.torch_signature import dim_of
from converter.signature import Signature
from converter.trace.pytorch.examples import Example, from_signature, parameters_of

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')


def export(module: torch.nn.Module, signature: Signature) -> torch.export.ExportedProgram:
    """Export a module; the dimensions that ``signature`` declares dynamic stay dynamic.

    Raises:
        NotExportable: the rebuilt module fixes one of them, or cannot be exported.
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
    program = without_unneeded(program, module, own)
    for graph_module in program.graph_module.modules():
        if isinstance(graph_module, torch.fx.GraphModule):
            forget_paths(graph_module)
            forget_places(graph_module)
    return program


def run_export(module: torch.nn.Module, example: Example) -> torch.export.ExportedProgram:
    """Run `torch.export`, so that an open size may be anything, 1 too.

    PyTorch's own checks of memory layout ask whether a size is 1. Told that any may be, it answers
    for most without asking the example, so the program is not refused at sizes from which a strided
    convolution or a pool makes 1. A few checks then demand more than one row instead (a convolution
    of one channel that came last): then the example is asked, and its program is taken if that
    demands nothing.
    """
    program = _exported(module, example, any_size=True)
    if not demands(program):
        return program
    try:
        other = _exported(module, example, any_size=False)
    except Exception:
        return program
    freer = not demands(other) and smallest(other) <= smallest(program)
    return other if freer else program


def demands(program: torch.export.ExportedProgram) -> list[str]:
    """Return what a program demands of its inputs' sizes beside their declared ranges."""
    return list(getattr(program, "_guards_code", ()))


def smallest(program: torch.export.ExportedProgram) -> int:
    """Return the smallest sizes of the open dimensions together."""
    return sum(int(ends.lower) for ends in program.range_constraints.values())


def _exported(
    module: torch.nn.Module, example: Example, *, any_size: bool
) -> torch.export.ExportedProgram:
    from torch.fx.experimental import _config

    oblivious: Any = _config
    with oblivious.patch(backed_size_oblivious=any_size):
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
    """Try again, and let `torch.export` find relations between dimensions, such as ``2 * n``.

    A module that cannot be followed for all sizes is followed by its example at last.
    """
    last = refusal
    inferred = replace(example, dynamic_shapes=_auto(example.dynamic_shapes))
    for attempt, any_size in ((inferred, True), (example, False), (inferred, False)):
        try:
            return _exported(module, attempt, any_size=any_size)
        except Exception as error:
            last = error
    raise NotExportable(
        f"the rebuilt module cannot be exported: {one_line(refusal)}", hint=_advice(refusal)
    ) from last


_OF_DATA = ("data-dependent", "unbacked", "Data-dependent")


def _advice(refusal: Exception) -> str:
    """Say what to do: sizes that follow from values cannot be given beforehand."""
    if any(word in str(refusal) for word in _OF_DATA):
        return (
            "A size in it follows from values, e.g. how many boxes are found, and torch.export "
            "cannot hold that. The live module can: leave output out in converter.convert; or "
            "convert --to onnx."
        )
    return "Give sizes in place of some words in --input, or use the live module in Python."


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
        NotExportable: a dimension that was declared dynamic has become a size.
    """
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    for name, spec in zip(program.graph_signature.user_inputs, signature.inputs, strict=True):
        for size, dim in zip(map(dim_of, values[name].shape), spec.shape or (), strict=False):
            if isinstance(dim, str) and isinstance(size, int):
                raise NotExportable(
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


def forget_places(graph_module: torch.fx.GraphModule) -> None:
    """Drop the checks that a value lies on the device where the module was exported.

    `torch.export` writes one before each conversion of a type. They compute nothing, and a program
    that is moved to a GPU would fail in them.
    """
    target = torch.ops.aten._assert_tensor_metadata.default
    for node in graph_module.graph.find_nodes(op="call_function", target=target):
        graph_module.graph.erase_node(node)
    graph_module.recompile()


def _relative(match: re.Match[str]) -> str:
    name = match["file"].replace("\\", "/").rpartition("/")[2]
    return f'File "{name}", line {match["line"]}'
