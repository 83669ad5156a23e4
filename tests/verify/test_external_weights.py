"""A graph in memory whose weights lie in a file, as a worker's trace gives it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from tests.verify.models import classifier, run_in, saved


@pytest.mark.parametrize("runtime", ["onnxruntime", "onnxruntime_unoptimised", "onnx_reference"])
def test_weights_in_a_file_are_found(
    runtime: str, tmp_path: Path, generator: np.random.Generator
) -> None:
    inputs = {"x": generator.normal(size=(3, 4)).astype(np.float32)}
    path = saved(classifier(), tmp_path / "model.onnx")
    wanted = run_in(runtime, ir.load(path), inputs)["logits"]
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="w", size_threshold=0)
    graph = ir.load(path)
    tensors = [value.const_value for value in graph.graph.initializers.values()]
    assert all(isinstance(tensor, ir.ExternalTensor) for tensor in tensors)
    np.testing.assert_array_equal(run_in(runtime, graph, inputs)["logits"], wanted)

    weights = np.fromfile(tmp_path / "w", np.uint8)
    weights[: np.dtype(np.float32).itemsize] = np.float32(7).reshape(1).view(np.uint8)
    weights.tofile(tmp_path / "w")
    assert not np.array_equal(run_in(runtime, ir.load(path), inputs)["logits"], wanted)
