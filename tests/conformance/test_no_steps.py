"""Loops that take no step still give outputs of the right rank and element type."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from converter.onnx_backend import PyTorchBackend, TensorFlowBackend

BACKENDS = (PyTorchBackend, TensorFlowBackend)
FLOAT, INT64, BOOL = 1, 7, 9


def info(name: str, kind: int, *shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, list(shape))


def model(node: onnx.NodeProto, inputs: list, outputs: list) -> onnx.ModelProto:
    graph = helper.make_graph([node], "loops", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def loop() -> onnx.ModelProto:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["on"]),
            helper.make_node("Add", ["x", "x"], ["doubled"]),
            helper.make_node("Cast", ["x"], ["row"], to=INT64),
        ],
        "body",
        [info("step", INT64), info("going", BOOL), info("x", FLOAT, 2)],
        [info("on", BOOL), info("doubled", FLOAT, 2), info("row", INT64, 2)],
    )
    node = helper.make_node("Loop", ["M", "", "x0"], ["y", "rows"], body=body)
    inputs = [info("M", INT64), info("x0", FLOAT, 2)]
    return model(node, inputs, [info("y", FLOAT, 2), info("rows", INT64, None, 2)])


def scan(axis: int) -> onnx.ModelProto:
    body = helper.make_graph(
        [
            helper.make_node("Add", ["s", "x"], ["t"]),
            helper.make_node("Cast", ["t"], ["row"], to=INT64),
        ],
        "body",
        [info("s", FLOAT, 2), info("x", FLOAT, 2)],
        [info("t", FLOAT, 2), info("row", INT64, 2)],
    )
    attributes = {"num_scan_inputs": 1, "scan_output_axes": [axis]}
    node = helper.make_node("Scan", ["s0", "xs"], ["y", "rows"], body=body, **attributes)
    inputs = [info("s0", FLOAT, 2), info("xs", FLOAT, None, 2)]
    return model(node, inputs, [info("y", FLOAT, 2), info("rows", INT64, None, None)])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("steps", [0, 3])
def test_loop(backend, steps: int) -> None:
    y, rows = backend.run_model(loop(), [np.array(steps), np.ones(2, np.float32)])
    np.testing.assert_array_equal(y, np.full(2, 2.0**steps, np.float32))
    assert (rows.shape, rows.dtype) == ((steps, 2), np.int64)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("axis", [0, 1])
def test_scan(backend, steps: int, axis: int) -> None:
    xs = np.ones((steps, 2), np.float32)
    y, rows = backend.run_model(scan(axis), [np.zeros(2, np.float32), xs])
    np.testing.assert_array_equal(y, np.full(2, steps, np.float32))
    assert (rows.shape, rows.dtype) == (((steps, 2), (2, steps))[axis], np.int64)
