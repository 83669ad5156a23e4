"""ONNX graph -> `torch.nn.Module`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import onnx_ir as ir

if TYPE_CHECKING:
    from converter.rebuild.pytorch.module import ConvertedModule

__all__ = ["build"]


def build(model: ir.Model, *, purpose: str = "inference") -> ConvertedModule:
    """Rebuild an ONNX graph as an `nn.Module` with the source's weights under their names.

    Args:
        model: the graph; left as it is.
        purpose: ``"inference"`` or ``"training"``.

    Raises:
        UnsupportedOpsError: operators without a handler; all are listed.
        RebuildError: an attribute that a handler does not take.
    """
    from converter.graph.layout import settle
    from converter.graph.loops import count_loops
    from converter.graph.shapes import infer_shapes
    from converter.graph.signatures import signature_of
    from converter.graph.weights import fold_transposes
    from converter.rebuild.graph_values import role_of, weight_name
    from converter.rebuild.interpreter import write
    from converter.rebuild.prepare import prepare
    from converter.rebuild.pytorch.module import (
        aliases,
        assemble,
        constant_expression,
        expression,
        keep_statement,
    )
    from converter.rebuild.pytorch.names import held_names

    registry = load_handlers()
    copy = infer_shapes(model.clone())
    copy = settle(infer_shapes(count_loops(prepare(copy, registry))))
    copy = infer_shapes(fold_transposes(copy))
    weights = [value for value in copy.graph.initializers.values() if role_of(value)]
    names = held_names(n for value in weights for n in (weight_name(value), *aliases(value)))
    program = write(
        copy,
        registry,
        border="converter.rebuild.pytorch.border",
        weight=lambda name: expression(names[name]),
        constant=constant_expression,
        keep=lambda name, value: keep_statement(names[name], value),
        release=True,
        training="self.training" if purpose == "training" else "False",
    )
    return assemble(program, signature_of(model), names)


def load_handlers():
    """Import every room of this folder, which fills the table, and return the table."""
    for found in iter_modules(__path__):
        import_module(f"{__name__}.{found.name}")
    return import_module(f"{__name__}.table").registry
