"""ONNX graph -> `tf.Module`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import onnx_ir as ir

if TYPE_CHECKING:
    from converter.rebuild.tensorflow.module import ConvertedModule

__all__ = ["build"]


def build(model: ir.Model) -> ConvertedModule:
    """Rebuild an ONNX graph as a `tf.Module` with the source's weights under their names.

    Args:
        model: the graph; left as it is.

    Raises:
        UnsupportedOpsError: operators without a handler; all are listed.
        RebuildError: an attribute that a handler does not take.
    """
    from converter.graph.layout import channels_last, settle
    from converter.graph.shapes import infer_shapes
    from converter.graph.signatures import signature_of
    from converter.graph.weights import fold_transposes
    from converter.rebuild.interpreter import write
    from converter.rebuild.prepare import prepare
    from converter.rebuild.tensorflow.module import (
        ConvertedModule,
        constant_expression,
        expression,
        keep_statement,
    )

    registry = load_handlers()
    copy = infer_shapes(model.clone())
    copy = settle(channels_last(infer_shapes(prepare(copy, registry))))
    copy = infer_shapes(fold_transposes(copy))
    program = write(
        copy,
        registry,
        border="converter.rebuild.tensorflow.border",
        weight=expression,
        constant=constant_expression,
        keep=keep_statement,
        release=False,
        training="False",
    )
    borders = [*model.graph.inputs, *model.graph.outputs]
    tensors_only = not any(isinstance(v.type, ir.SequenceType | ir.OptionalType) for v in borders)
    return ConvertedModule(program, signature_of(model), tensors_only=tensors_only)


def load_handlers():
    """Import every room of this folder, which fills the table, and return the table."""
    for found in iter_modules(__path__):
        import_module(f"{__name__}.{found.name}")
    return import_module(f"{__name__}.table").registry
