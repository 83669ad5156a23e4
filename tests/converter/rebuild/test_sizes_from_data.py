"""Sizes that depend on data go through `torch.export`, and an empty constant can be saved."""

from __future__ import annotations

import io

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from onnx import helper, numpy_helper

from converter.formats.torch_export import export
from converter.graph.signatures import signature_of
from converter.rebuild.pytorch import build


def segment_extreme(reduction: str) -> onnx.ModelProto:
    """Return a model that reduces rows by sorted ids, into as many rows as the last id says."""
    start = {"max": -9.0, "min": 9.0}[reduction]
    constants = [
        numpy_helper.from_array(np.array([-1], np.int64), "last"),
        numpy_helper.from_array(np.array([2**62], np.int64), "end"),
        numpy_helper.from_array(np.array([1], np.int64), "one"),
        numpy_helper.from_array(np.array([3], np.int64), "width"),
        numpy_helper.from_array(np.array(start, np.float32), "start"),
        numpy_helper.from_array(np.zeros((0, 6), np.float32), "nothing"),
    ]
    nodes = [
        helper.make_node("Slice", ["ids", "last", "end"], ["final"]),
        helper.make_node("Add", ["final", "one"], ["number"]),
        helper.make_node("Concat", ["number", "width"], ["shape"], axis=0),
        helper.make_node("Expand", ["start", "shape"], ["base"]),
        helper.make_node("Unsqueeze", ["ids", "last"], ["places"]),
        helper.make_node("ScatterND", ["base", "places", "x"], ["found"], reduction=reduction),
        helper.make_node("Concat", ["found", "found"], ["twice"], axis=1),
        helper.make_node("Concat", ["twice", "nothing"], ["y"], axis=0),
    ]
    inputs = [
        helper.make_tensor_value_info("x", 1, ["rows", 3]),
        helper.make_tensor_value_info("ids", 7, ["rows"]),
    ]
    outputs = [helper.make_tensor_value_info("y", 1, None)]
    graph = helper.make_graph(nodes, "segments", inputs, outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("reduction", ["max", "min"])
def test_a_number_of_rows_that_depends_on_data_is_exported_and_saved(reduction: str) -> None:
    model = ir.serde.deserialize_model(segment_extreme(reduction))
    program = export(build(model), signature_of(model))
    file = io.BytesIO()
    torch.export.save(program, file)
    file.seek(0)
    again = torch.export.load(file).module()
    for rows, last in ((6, 2), (1, 4)):
        x = torch.randn(rows, 3)
        ids = torch.sort(torch.randint(0, last, (rows,))).values
        ids[-1] = last
        wanted = torch.full((last + 1, 3), {"max": -9.0, "min": 9.0}[reduction])
        for row, place in zip(x, ids.tolist(), strict=True):
            extreme = torch.maximum if reduction == "max" else torch.minimum
            wanted[place] = extreme(wanted[place], row)
        torch.testing.assert_close(again(x, ids), wanted.repeat(1, 2), rtol=0, atol=0)


def test_a_size_that_cancels_out_is_no_guess_for_an_empty_batch() -> None:
    nodes = [
        helper.make_node("Shape", ["x"], ["batch"], start=0, end=1),
        helper.make_node("Concat", ["batch", "rest"], ["shape"], axis=0),
        helper.make_node("Reshape", ["x", "shape"], ["y"]),
    ]
    rest = numpy_helper.from_array(np.array([-1], np.int64), "rest")
    x = helper.make_tensor_value_info("x", 1, ["batch", 3, 4])
    y = helper.make_tensor_value_info("y", 1, None)
    graph = helper.make_graph(nodes, "flat", [x], [y], [rest])
    model = ir.serde.deserialize_model(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    )
    module = build(model)
    program = export(module, signature_of(model)).module()
    for run in (module, program):
        for batch in (0, 1, 5):
            assert run(torch.zeros(batch, 3, 4)).shape == (batch, 12)
