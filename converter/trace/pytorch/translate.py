"""Exported program -> ONNX, by `torch.onnx`'s translations and ours; nothing is dropped on the way.

The steps are those of ``torch.onnx.export(program, dynamo=True, optimize=False)``. In between the
whole program is looked at, so what cannot be written is refused before any of it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from converter.errors import UnsupportedOpsError
from converter.trace.pytorch.complex_numbers import refuse_complex
from converter.trace.pytorch.constants import in_double_precision
from converter.trace.pytorch.decompositions import table as own_decompositions
from converter.trace.pytorch.dropout import marked
from converter.trace.pytorch.promotion import write_promotions
from converter.trace.pytorch.registry import OPSET, registry
from converter.trace.pytorch.unsupported import unwritable


def to_onnx(program: torch.export.ExportedProgram, *, keep_paths: bool = False) -> Any:
    """Return the `torch.onnx.ONNXProgram` of an exported program.

    Raises:
        UnsupportedOpsError: operators without a translation, or called with arguments that their
            translation does not read; all are listed.
    """
    from torch.onnx._internal._lazy_import import onnxscript_apis
    from torch.onnx._internal.exporter import _core, _flags, _fx_passes

    oblivious: Any = torch.fx.experimental._config
    with oblivious.patch(backed_size_oblivious=True), marked(program):
        decomposed = program.run_decompositions(dict(decompositions()))
        refuse_complex(decomposed, keep_paths)
        if missing := unwritable(decomposed, keep_paths):
            raise UnsupportedOpsError(
                missing,
                stage="tracing PyTorch to ONNX",
                hint="Write these parts of the model with other operators.",
            )
        write_promotions(decomposed)
        _fx_passes.remove_assertion_nodes(decomposed.graph_module)
    write = _flags.set_onnx_exporting_flag(_core._exported_program_to_onnx_program)
    with in_double_precision():
        onnx_program = write(decomposed, registry=registry())
    onnx_program.model = onnxscript_apis.convert_version(onnx_program.model, OPSET)
    return onnx_program


@cache
def decompositions() -> dict[Any, Callable[..., Any]]:
    """Return how operators are written with others: ours first, then PyTorch's.

    PyTorch's only for operators that have no translation.
    """
    from torch.onnx._internal.exporter import _decomp

    known = set(_decomp.get_onnx_implemented_overloads(registry()))
    return _decomp.create_onnx_friendly_decomposition_table(known) | own_decompositions()
