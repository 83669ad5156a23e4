"""Right conversions of a graph: other runtimes, and rewrites that converters legitimately do."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.edit import attribute, before, initializer, set_attribute
from benchmarks.mutants.scramble import scramble

Variant = Callable[[ir.Model], tuple[Any, list[str]]]
"""Makes a target of a graph, and says in which runtimes it is run."""


def in_onnxruntime(graph: ir.Model) -> tuple[Any, list[str]]:
    """The graph in ONNX Runtime, which fuses what it can."""
    return graph, ["onnxruntime"]


def unoptimised(graph: ir.Model) -> tuple[Any, list[str]]:
    """The graph in ONNX Runtime, node by node, its names scrambled."""
    copy = graph.clone()
    scramble(copy, np.random.default_rng(0))
    return copy, ["onnxruntime_unoptimised"]


def in_reference(graph: ir.Model) -> tuple[Any, list[str]]:
    """The graph in ONNX's reference evaluator.

    Raises:
        UsageError: the evaluator computes something else: it ignores ``sequence_lens``.
    """
    from verify.runtimes.onnx_reference_runtime import refuse_lengths

    refuse_lengths(graph)
    return graph, ["onnx_reference"]


def in_pytorch(graph: ir.Model) -> tuple[Any, list[str]]:
    """The graph rebuilt in PyTorch."""
    from converter.rebuild.pytorch import build

    return build(graph), ["torch"]


def in_tensorflow(graph: ir.Model) -> tuple[Any, list[str]]:
    """The graph rebuilt in TensorFlow, as a function."""
    from converter.rebuild.tensorflow import build

    return build(graph), ["tensorflow"]


def folded(graph: ir.Model) -> tuple[Any, list[str]]:
    """ONNX Runtime's basic rewrites, written down: constants and BatchNorm folded, in float32."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory(prefix="equiport-variant-") as folder:
        options.optimized_model_filepath = os.path.join(folder, "folded.onnx")
        text = ir.serde.serialize_model(graph).SerializeToString()
        onnxruntime.InferenceSession(text, options, providers=["CPUExecutionProvider"])
        with open(options.optimized_model_filepath, "rb") as file:
            import onnx

            return ir.serde.deserialize_model(onnx.load_model(file)), ["onnxruntime_unoptimised"]


def folded_in_pytorch(graph: ir.Model) -> tuple[Any, list[str]]:
    """The folded graph rebuilt in PyTorch."""
    return in_pytorch(folded(graph)[0])


def transposed(graph: ir.Model) -> tuple[Any, list[str]]:
    """Weights of dense layers stored transposed, kernels turned by nodes of the graph."""
    copy = graph.clone()
    for node in list(copy.graph):
        if node.op_type not in ("Gemm", "MatMul", "Conv") or node.domain:
            continue
        weight = node.inputs[1]
        array = _weight(weight)
        if array is None or array.ndim < 2:
            continue
        if node.op_type == "Gemm":
            node.replace_input_with(1, initializer(copy.graph, np.ascontiguousarray(array.T)))
            set_attribute(node, "transB", 1 - attribute(node, "transB", 0))
            continue
        order = (1, 0) if array.ndim == 2 else (*range(2, array.ndim), 1, 0)
        if array.ndim != 2 and node.op_type == "MatMul":
            continue
        stored = np.ascontiguousarray(array.transpose(order))
        back = tuple(int(axis) for axis in np.argsort(order))
        node.replace_input_with(1, before(node, "Transpose", [stored], perm=back))
    scramble(copy, np.random.default_rng(1))
    return copy, ["onnxruntime"]


def transposed_in_pytorch(graph: ir.Model) -> tuple[Any, list[str]]:
    """The transposed graph rebuilt in PyTorch."""
    return in_pytorch(transposed(graph)[0])


def _weight(value: ir.Value | None) -> np.ndarray | None:
    if value is None or not value.is_initializer() or value.const_value is None:
        return None
    array = value.const_value.numpy()
    return array if array.dtype.kind in "fV" else None


SINGLE: dict[str, Variant] = {
    "ONNX Runtime": in_onnxruntime,
    "ONNX Runtime, node by node": unoptimised,
    "ONNX reference": in_reference,
    "PyTorch rebuild": in_pytorch,
    "TensorFlow rebuild": in_tensorflow,
    "folded": folded,
    "folded, PyTorch": folded_in_pytorch,
    "weights transposed": transposed,
}
"""Of a float32 graph."""

HALF: dict[str, Variant] = {
    "ONNX Runtime": in_onnxruntime,
    "ONNX Runtime, node by node": unoptimised,
    "TensorFlow rebuild": in_tensorflow,
    "weights transposed": transposed,
    "weights transposed, PyTorch": transposed_in_pytorch,
}
"""Of a float16 graph."""

BRAIN: dict[str, Variant] = {
    "TensorFlow rebuild": in_tensorflow,
    "weights transposed, PyTorch": transposed_in_pytorch,
}
"""Of a bfloat16 graph: ONNX Runtime's CPU has few kernels for it, and ONNX's reference evaluator
rounds every step inside a normalisation to bfloat16, which no kernel in use does."""
