"""A `Range` keeps its element type where its bounds are known before the run."""

from __future__ import annotations

import warnings

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper
from torch import nn

from converter.onnx_backend import PyTorchBackend, TensorFlowBackend
from converter.pipeline import convert

BACKENDS = {"torch": PyTorchBackend, "tf": TensorFlowBackend}


def constant_range(start: float, limit: float, delta: float, dtype: str) -> onnx.ModelProto:
    """Return a model that adds a range of constants to its input ``x``, a scalar of ``dtype``."""
    names = ("start", "limit", "delta")
    bounds = [
        numpy_helper.from_array(np.array(value, dtype), name)
        for name, value in zip(names, (start, limit, delta), strict=True)
    ]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    nodes = [helper.make_node("Range", names, ["r"]), helper.make_node("Add", ["r", "x"], ["y"])]
    x = helper.make_tensor_value_info("x", kind, [])
    y = helper.make_tensor_value_info("y", kind, None)
    graph = helper.make_graph(nodes, "ranges", [x], [y], bounds)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
@pytest.mark.parametrize(
    ("dtype", "bounds"),
    [
        ("float32", (0.5, 8.5, 1.0)),
        ("float32", (-0.9, 0.95, 0.1)),
        ("float32", (3.0, -2.0, -0.5)),
        ("float32", (2.0, 1.0, 1.0)),
        ("float64", (0.1, 0.85, 0.1)),
        ("int32", (3, 2000, 1)),  # too long for the host
        ("int64", (2**53 + 1, 2**53 + 9, 2)),
    ],
)
def test_a_range_of_constants_has_their_type(backend, dtype, bounds) -> None:
    model = constant_range(*bounds, dtype)
    (result,) = backend.run_model(model, [np.zeros((), dtype)])
    start, limit, delta = (np.array(value, dtype)[()] for value in bounds)
    steps = np.arange(len(np.arange(start, limit, delta, dtype)))
    wide = "int64" if dtype.startswith("int") else "float64"  # NumPy adds up its rounding errors
    wanted = (start.astype(wide) + steps * delta.astype(wide)).astype(dtype)
    assert result.dtype == wanted.dtype
    np.testing.assert_array_equal(result, wanted)


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
def test_the_length_is_that_of_the_rounded_quotient(backend) -> None:
    """The exact quotient of 0.3 and 0.1 in float32 lies above 3."""
    (result,) = backend.run_model(constant_range(0, 0.3, 0.1, "float32"), [np.zeros((), "f4")])
    assert len(result) == 3


class Function(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


FUNCTIONS = {
    "linspace": lambda x: x * torch.linspace(-0.9, 0.9, 8),
    "arange": lambda x: x.double() * torch.arange(0.5, 8.5).to(torch.float64),
    "affine_grid": lambda x: F.affine_grid(
        x.sum() * torch.ones(1, 2, 3), [1, 1, 4, 5], align_corners=False
    ),
    "nearest-exact": lambda x: F.interpolate(x[None], scale_factor=2, mode="nearest-exact"),
    "nearest-exact to a size": lambda x: F.interpolate(x[None], size=5, mode="nearest-exact"),
    "pad with a large integer": lambda x: F.pad((x * 0).long(), (1, 1), value=2**62 + 1),
}


@pytest.mark.parametrize("target", ["tf", "torch"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_pytorch_computes_from_constants_arrives(name, target) -> None:
    model, x = Function(FUNCTIONS[name]).eval(), torch.randn(2, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = convert(model, to=target, inputs=(x,), verify=False).model(x)
    wanted, result = model(x).numpy(), np.asarray(result)
    assert result.dtype == wanted.dtype
    np.testing.assert_allclose(result, wanted, rtol=1e-6, atol=1e-6)


def test_a_shift_of_one_half_is_seen() -> None:
    (result,) = TensorFlowBackend.run_model(constant_range(0.5, 8.5, 1, "float32"), [np.float32(0)])
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(result, np.arange(8, dtype=np.float32), rtol=1e-6)
