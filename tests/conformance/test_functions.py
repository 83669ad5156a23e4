"""Functions keep the opset that they are written in, whatever the model around them imports."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

from converter.errors import EquiportError
from converter.onnx_backend import PyTorchBackend, TensorFlowBackend

BACKENDS = (PyTorchBackend, TensorFlowBackend)


def model_with_function(node: onnx.NodeProto, opset: int) -> onnx.ModelProto:
    """Return a model of opset 21 that calls a local function of ``opset``."""
    function = helper.make_function(
        "local", "Own", ["x"], ["y"], [node], [helper.make_opsetid("", opset)]
    )
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Own", ["a"], ["b"], domain="local")],
        "caller",
        [info("a", 1, [2, 3])],
        [info("b", 1, None)],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("local", 1)]
    return helper.make_model(graph, functions=[function], opset_imports=opsets, ir_version=10)


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_older_form_of_an_operator_inside_a_function(backend) -> None:
    """Axes were an attribute of ReduceMean before opset 18."""
    node = helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=0)
    x = np.random.default_rng().normal(size=(2, 3)).astype(np.float32)
    (y,) = backend.run_model(model_with_function(node, 17), [x])
    np.testing.assert_allclose(y, x.mean(1), rtol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_form_is_refused_in_the_models_own_opset(backend) -> None:
    node = helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=0)
    with pytest.raises(EquiportError, match="axes"):
        backend.prepare(model_with_function(node, 21))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_gradient_of_nothing_is_refused(backend) -> None:
    node = helper.make_node(
        "Gradient", ["a"], ["b"], domain="ai.onnx.preview.training", xs=["a"], y="nowhere"
    )
    info = helper.make_tensor_value_info
    graph = helper.make_graph([node], "g", [info("a", 1, [2])], [info("b", 1, [2])])
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.preview.training", 1)]
    with pytest.raises(EquiportError, match="Gradient"):
        backend.prepare(helper.make_model(graph, opset_imports=opsets, ir_version=10))
