"""Infer ranks, shapes and element types of every value by ONNX's own inference."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass

from converter.graph.clean import keeping_weights
from converter.graph.state import no_constants


def infer_shapes(model: ir.Model) -> ir.Model:
    """Fill in the shapes and types that are missing; in place. Weights are not copied."""
    with keeping_weights(model), no_constants(model):
        ShapeInferencePass(check_type=False, strict_mode=False, data_prop=True)(model)
    return model
