"""A graph with its inner values as outputs, and what a runtime says of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from converter.formats import Source
from converter.graph.shapes import infer_shapes
from converter.rebuild.graph_values import constant_tensor
from verify.runtimes import load


def exposed(model: ir.Model) -> ir.Model:
    """Return a copy in which every tensor of the main graph is an output."""
    copy = infer_shapes(model.clone())
    known = {value.name for value in copy.graph.outputs}
    for node in copy.graph:
        for value in node.outputs:
            wanted = value.name and value.name not in known and constant_tensor(value) is None
            if wanted and isinstance(value.type, ir.TensorType):
                copy.graph.outputs.append(value)
    return copy


def run_in(
    runtime: str, model: ir.Model, inputs: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Run a graph in a runtime for ONNX and return its outputs by name.

    Args:
        runtime: ``onnxruntime``, ``onnxruntime_unoptimised`` or ``onnx_reference``.

    Raises:
        Exception: whatever the runtime raises on a graph that it does not take.
    """
    runner = load(runtime).open(Source("onnx", "onnx_model", model), "cpu", None)
    try:
        return runner.fetch(runner.call(runner.prepare(dict(inputs))))
    finally:
        runner.close()
