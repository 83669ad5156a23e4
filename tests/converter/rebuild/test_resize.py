"""`Resize` in both frameworks: exact integers, exact positions, and the same numbers."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from onnx import helper, numpy_helper

from converter.formats.torch_export import export
from converter.graph.signatures import signature_of
from converter.onnx_backend import PyTorchBackend, TensorFlowBackend
from converter.rebuild.pytorch import build

BACKENDS = {"torch": PyTorchBackend, "tf": TensorFlowBackend}


def resize(
    shape: list[Any], dtype: str = "float32", *, roi: Any = (), **given: Any
) -> onnx.ModelProto:
    """Return a model of one `Resize`; ``scales`` or ``sizes`` and attributes as keywords."""
    types = {"roi": np.float32, "scales": np.float32, "sizes": np.int64}
    tensors = {name: given.pop(name) for name in ("scales", "sizes") if name in given}
    tensors |= {"roi": roi} if roi else {}
    names = ["x", *(n if n in tensors else "" for n in ("roi", "scales", "sizes"))]
    node = helper.make_node("Resize", names, ["y"], **given)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    constants = [numpy_helper.from_array(np.array(v, types[n]), n) for n, v in tensors.items()]
    x = helper.make_tensor_value_info("x", kind, shape)
    y = helper.make_tensor_value_info("y", kind, None)
    graph = helper.make_graph([node], "resize", [x], [y], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


ASYMMETRIC = {
    "mode": "nearest",
    "coordinate_transformation_mode": "asymmetric",
    "nearest_mode": "floor",
}


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float64"])
def test_nearest_moves_numbers_and_changes_none(backend, dtype) -> None:
    largest = np.finfo(dtype).max if dtype == "float64" else np.iinfo(dtype).max
    x = np.array([[[[largest, 3], [5, largest - (0 if dtype == "float64" else 1)]]]], dtype)
    (y,) = backend.run_model(resize([1, 1, 2, 2], dtype, scales=[1, 1, 2, 3], **ASYMMETRIC), [x])
    assert y.dtype == x.dtype
    np.testing.assert_array_equal(y, x.repeat(2, 2).repeat(3, 3))


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
@pytest.mark.parametrize("shape", [[1, 1, 300, 10], [1, 1, "height", "width"]], ids=str)
@pytest.mark.parametrize("given", [{"sizes": [1, 1, 30, 7]}, {"scales": [1, 1, 0.1, 0.7]}], ids=str)
def test_positions_are_those_of_the_sizes(backend, shape, given) -> None:
    x = np.arange(3000, dtype=np.float32).reshape(1, 1, 300, 10)
    (y,) = backend.run_model(resize(shape, **given, **ASYMMETRIC), [x])
    rows, columns = np.arange(30) * 300 // 30, np.arange(7) * 10 // 7
    np.testing.assert_array_equal(y, x[:, :, rows][..., columns])


@pytest.mark.parametrize("backend", BACKENDS.values(), ids=BACKENDS)
def test_crop_and_resize_goes_by_the_whole_length(backend) -> None:
    """5 * 1.5 is 7.5, of which 7 positions are made, from the crop's start to its end."""
    x = np.linspace(-1, 1, 5, dtype=np.float32)
    attributes = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"}
    model = resize([5], scales=[1.5], roi=[0.25, 0.75], **attributes)
    (y,) = backend.run_model(model, [x])
    np.testing.assert_allclose(y, np.linspace(-0.5, 0.5, 7), atol=1e-6)


WAYS = ["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"]


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("way", WAYS)
def test_both_frameworks_say_the_same(mode, way) -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    for _ in range(3):
        sizes = rng.integers(2, 9, 2).tolist()
        given = [{"sizes": [2, 3, *rng.integers(1, 12, 2)]}]
        given += [{"scales": [1, 1, *rng.choice([0.5, 0.7, 0.9, 1.3, 1.7, 3], 2)]}]
        x = rng.standard_normal((2, 3, *sizes), np.float32)
        for choice in given:
            for shape in ([2, 3, *sizes], ["batch", 3, "height", "width"]):
                model = resize(shape, mode=mode, coordinate_transformation_mode=way, **choice)
                (a,), (b,) = (backend.run_model(model, [x]) for backend in BACKENDS.values())
                assert a.shape == b.shape
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=f"{choice} {shape}")
                with pytest.raises(AssertionError):
                    np.testing.assert_allclose(a + 1e-3, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "given",
    [
        {"scales": [1, 1, 0.7, 2], "mode": "linear"},
        {
            "sizes": [2, 3, 5, 1],
            "mode": "linear",
            "coordinate_transformation_mode": "align_corners",
        },
        {"scales": [1, 1, 1.3, 0.5], "mode": "cubic", "exclude_outside": 1},
        {"sizes": [2, 3, 5, 4], **ASYMMETRIC},
    ],
    ids=str,
)
def test_the_program_holds_for_all_sizes(given) -> None:
    graph = ir.serde.deserialize_model(resize([2, 3, "height", "width"], **given))
    module = build(graph)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = export(module, signature_of(graph)).module()
    for sizes in ((2, 5), (7, 2), (9, 12), (10, 10)):
        x = torch.randn(2, 3, *sizes)
        torch.testing.assert_close(exported(x), module(x))
