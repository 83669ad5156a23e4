"""What random programs found: one small model of each kind, in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import tensorflow as tf
import torch
import torch.nn.functional as F
from torch import nn

import converter

SEED = int(np.random.SeedSequence().generate_state(1)[0])


class Of(nn.Module):
    """A module of one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x)


def values(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(SEED)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if "int" in dtype:
        return rng.integers(-3, 4, shape).astype(dtype)
    return rng.normal(size=shape).astype(dtype)


def same(got: Any, want: Any, limit: float = 1e-12) -> bool:
    """Tell whether two results have one shape and the numbers that their type can tell apart."""
    got, want = np.asarray(got), np.asarray(want)
    close = {"float64": limit, "float32": 1e-5}.get(str(want.dtype), 0)
    return got.shape == want.shape and np.allclose(
        got.astype(float), want.astype(float), close, close
    )


def test_results_of_another_shape_or_of_another_number_are_told_apart() -> None:
    one = np.array([1.0])
    assert same(one, one)
    assert not same(one, one[None])
    assert not same(one + 1e-9, one)


def middle(x: Any) -> Any:
    return F.scaled_dot_product_attention(x, x, x, is_causal=True)


def spread(x: Any) -> Any:
    return x.scatter_add(-1, x.long().abs() % 2, x)


PYTORCH: list[Any] = [
    pytest.param(torch.vander, "x:int32[4]", (4,), id="copy in another shape"),
    pytest.param(
        lambda x: torch.stack(torch.broadcast_tensors(x, x.long())), "x[2]", (2,), id="stack"
    ),
    pytest.param(lambda x: x.repeat_interleave(3, -1), "x[0,0]", (0, 0), id="repeat nothing"),
    pytest.param(spread, "x:bool[3,4]", (3, 4), id="scatter booleans"),
    pytest.param(lambda x: x.index_put((torch.tensor(1),), x[0]), "x[2,3]", (2, 3), id="one place"),
    pytest.param(lambda x: F.max_pool3d(x, 2), "x:float64[1,2,4,4,4]", (1, 2, 4, 4, 4), id="max3d"),
    pytest.param(lambda x: F.avg_pool3d(x, 2), "x:float64[1,2,4,4,4]", (1, 2, 4, 4, 4), id="avg3d"),
    pytest.param(middle, "x[n,n]", (5, 5), id="a head of open size"),
    pytest.param(lambda x: F.pad(x, (-1, 1), "reflect"), "x[2,3]", (2, 3), id="mirror and crop"),
    pytest.param(
        lambda x: F.pad(x, (2, -1, -1, 1), "reflect"), "x[1,1,4,5]", (1, 1, 4, 5), id="mirror 2d"
    ),
    pytest.param(lambda x: x.any(), "x:uint8[0,3]", (0, 3), id="any of nothing"),
    pytest.param(lambda x: 2 ** x.clamp(max=5), "x:int64[4]", (4,), id="negative powers"),
    pytest.param(
        lambda x: x.scatter(0, x.long().abs() % 1, x), "x[0<=n]", (0,), id="write nothing"
    ),
    pytest.param(lambda x: x.roll(-1), "x[0<=n,0<=n,2]", (0, 0, 2), id="roll nothing"),
]


@pytest.mark.parametrize(("function", "spec", "shape"), PYTORCH)
def test_pytorch(function, spec: str, shape: tuple[int, ...]) -> None:
    print(f"seed {SEED}")
    model = Of(function)
    x = values(spec.partition(":")[2].partition("[")[0] or "float32", shape)
    want = model(torch.from_numpy(x.copy())).numpy()
    target = converter.convert(model, "tf", inputs=[spec], verify=False).model
    assert same(target(tf.constant(x)), want)


def test_medians_run_in_onnx_runtime() -> None:
    import onnx_ir as ir
    from onnxruntime import InferenceSession

    model = Of(lambda x: x.median(1)[1])
    graph = converter.convert(model, "onnx", inputs=["x[2,5,3]"], verify=False).graph
    session = InferenceSession(ir.serde.serialize_model(graph).SerializeToString())
    x = values("float32", (2, 5, 3))
    assert same(session.run(None, {"x": x})[0], model(torch.from_numpy(x)).numpy())


MODES = {"linear": "1,2,n", "bilinear": "1,2,n,4", "trilinear": "1,1,n,3,2", "bicubic": "1,1,n,n"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("corners", [True, False])
def test_factors_of_open_sizes(mode: str, corners: bool) -> None:
    print(f"seed {SEED}")
    # ONNX keeps a factor in 32 bits; with aligned corners the sizes alone count.
    limit = 1e-12 if corners else 1e-5
    for factor in (1.5, 0.7, 1.7):
        model = Of(
            lambda x, s=factor: F.interpolate(x, scale_factor=s, mode=mode, align_corners=corners)
        )
        spec = f"x:float64[{MODES[mode]}]"
        targets = [
            converter.convert(model, to, inputs=[spec], verify=False) for to in ("torch", "tf")
        ]
        for n in (2, 5, 10):
            shape = tuple(n if size == "n" else int(size) for size in MODES[mode].split(","))
            x = values("float64", shape)
            want = model(torch.from_numpy(x)).numpy()
            assert same(targets[0].model(torch.from_numpy(x)), want, limit)
            assert same(targets[1].model(tf.constant(x)), want, limit)


def patches(padding: str, stride: int) -> Callable[[Any], Any]:
    steps = [1, stride, stride, 1]
    return lambda x: tf.image.extract_patches(x, [1, 2, 3, 1], steps, [1, 1, 1, 1], padding)


TENSORFLOW: list[Any] = [
    pytest.param(lambda x: tf.math.log(tf.abs(x) + 0.1), "float64[n,3]", (2, 3), id="log"),
    pytest.param(
        lambda x: tf.unique_with_counts(tf.reshape(x, [-1]))[0], "float64[n]", (5,), id="unique"
    ),
    pytest.param(lambda x: x == tf.zeros((3, 5)), "float32[2,4]", (2, 4), id="never equal"),
    pytest.param(lambda x: x != tf.zeros((3, 5)), "float32[2,4]", (2, 4), id="ever different"),
    pytest.param(
        lambda x: tf.reshape(x, [0, -1]), "float32[5,0,0,4]", (5, 0, 0, 4), id="what is left"
    ),
    pytest.param(
        lambda x: tf.linalg.diag(tf.slice(x, [2], [-1]), k=1, padding_value=1), "float32[2<=n]",
        (2,), id="diagonal of nothing",
    ),
    pytest.param(lambda x: tf.atan2(x, tf.abs(x) + 0.5), "float32[]", (), id="one angle"),
    pytest.param(patches("VALID", 1), "float64[n,4,5,2]", (3, 4, 5, 2), id="patches"),
    pytest.param(patches("SAME", 2), "float32[n,4,5,2]", (3, 4, 5, 2), id="padded patches"),
    pytest.param(lambda x: tf.argmax(x, 0), "bool[3,2]", (3, 2), id="argmax of booleans"),
    pytest.param(
        lambda x: tf.where(tf.cast(tf.shape(x), tf.float32) > 0), "float32[]", (), id="no axes"
    ),
    pytest.param(lambda x: tf.gather(x, [0]), "float32[0<=n,2,0<=n]", (0, 2, 0), id="no rows"),
    pytest.param(
        lambda x: tf.nn.conv1d(x, tf.ones((3, 2, 2)), 2, "SAME"), "float32[1,0,2]", (1, 0, 2),
        id="no windows",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("function", "spec", "shape"), TENSORFLOW)
def test_tensorflow(function, spec: str, shape: tuple[int, ...]) -> None:
    print(f"seed {SEED}")
    x = values(spec.partition("[")[0], shape)
    traced = tf.function(lambda x: function(x))
    want = traced(tf.constant(x)).numpy()
    target = converter.convert(traced, "torch", inputs=[f"x:{spec}"], verify=False).model
    assert same(target(torch.from_numpy(np.array(x))), want)


ENDS = [0.0, -0.0, 1.0, -2.5, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_angles_of_zeros_and_infinities(dtype: str) -> None:
    y, x = (tf.cast(item, dtype) for item in np.meshgrid(ENDS, ENDS))
    angle = tf.function(lambda y, x: tf.atan2(y, x))
    specs = [f"y:{dtype}[7,7]", f"x:{dtype}[7,7]"]
    target = converter.convert(angle, "tf", inputs=specs, verify=False).model
    got, want = (tf.cast(function(y, x), tf.float64).numpy() for function in (target, angle))
    np.testing.assert_allclose(got, want, 1e-2 if dtype.endswith("16") else 1e-6)
    known = ~np.isnan(want)
    np.testing.assert_array_equal(np.signbit(got[known]), np.signbit(want[known]))


def test_what_a_squeeze_may_drop_is_said() -> None:
    squeezed = tf.function(lambda x: tf.squeeze(x <= 2))
    result = converter.convert(squeezed, "torch", inputs=["x:int32[n,4,4]"], verify=False)
    assert result.signature.conditions == ("n != 1",)


@pytest.mark.parametrize("pad", [(-1, 1), (1, -1)])
def test_a_mirror_of_what_is_taken_away(pad: tuple[int, int]) -> None:
    print(f"seed {SEED}")
    model = Of(lambda x: F.pad(x, pad, mode="reflect"))
    x = torch.from_numpy(values("float32", (3, 2)))
    target = converter.convert(model, "torch", inputs=["x[3,2]"], verify=False).model
    assert same(target(x), model(x).numpy())
    assert not same(target(x), model(x.flip(-1)).numpy())


@pytest.mark.parametrize("which", ["median", "nanmedian"])
def test_the_middle_of_nothing(which: str) -> None:
    print(f"seed {SEED}")
    model = Of(lambda x: getattr(x, which)())
    target = converter.convert(model, "torch", inputs=["x[3,0<=n]"], verify=False).model
    for n in (0, 1, 4):
        x = torch.from_numpy(values("float32", (3, n)))
        np.testing.assert_equal(np.asarray(target(x)), model(x).numpy())


def test_a_recurrent_layer_of_no_rows_is_a_valid_file() -> None:
    layer = nn.LSTM(2, 3, batch_first=True, bidirectional=True)
    model = Of(lambda x: layer(x)[0])
    graph = converter.convert(model, "onnx", inputs=["x[0,4,2]"], verify=False).model
    onnx.checker.check_model(ir.serde.serialize_model(graph), full_check=True)


@pytest.mark.parametrize("to", ["torch", "tf"])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int64"])
def test_shifts_keep_their_type(dtype: str, to: str) -> None:
    model = Of(lambda x: (x >> 1, x << 1, torch.bitwise_right_shift(x, torch.ones_like(x))))
    x = np.array([131, 129, 255, 0, 5] if dtype == "uint8" else [-3, -1, 127, 0, 5], dtype)
    target = converter.convert(model, to, inputs=[f"x:{dtype}[5]"], verify=False).model
    results = target(torch.from_numpy(x) if to == "torch" else tf.constant(x))
    for got, want in zip(results, model(torch.from_numpy(x)), strict=True):
        assert np.asarray(got).dtype == want.numpy().dtype
        np.testing.assert_array_equal(np.asarray(got), want.numpy())


@pytest.mark.parametrize("to", ["torch", "tf"])
def test_averages_of_integers(to: str) -> None:
    print(f"seed {SEED}")
    model = Of(lambda x: (F.avg_pool2d(x, 2, ceil_mode=True, padding=1), F.avg_pool1d(x[0], 2)))
    x = np.random.default_rng(SEED).integers(-9, 9, (1, 3, 5, 5))
    target = converter.convert(model, to, inputs=["x:int64[1,3,5,5]"], verify=False).model
    results = target(torch.from_numpy(x) if to == "torch" else tf.constant(x))
    for got, want in zip(results, model(torch.from_numpy(x)), strict=True):
        np.testing.assert_array_equal(np.asarray(got), want.numpy())


def test_constants_of_selu_are_doubles() -> None:
    print(f"seed {SEED}")
    selu = tf.function(lambda x: tf.nn.selu(x))
    x = values("float64", (4, 5))
    target = converter.convert(selu, "torch", inputs=["x:float64[4,5]"], verify=False).model
    assert same(target(torch.from_numpy(x)), selu(tf.constant(x)).numpy(), 1e-14)


@pytest.mark.parametrize("to", ["torch", "tf"])
def test_an_output_may_be_called_by_a_sign(to: str) -> None:
    """What nobody reads has the name ``_`` in written code, and so has a sign made a word."""

    class Signed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.GRU(3, 4)

        def forward(self, x: torch.Tensor) -> Any:
            return {"'": x > 0, "last": self.rnn(x)[1]}

    print(f"seed {SEED}")
    model, x = Signed(), values("float32", (2, 1, 3))
    target = converter.convert(model, to, inputs=["x[2,1,3]"], verify=False, source=True)
    results = target.model(torch.from_numpy(x) if to == "torch" else tf.constant(x))
    np.testing.assert_array_equal(np.asarray(results[0]), x > 0)


def test_a_window_far_larger_than_the_image() -> None:
    """As EfficientNet's last pooling has it; one slice for each of its places never ended."""
    print(f"seed {SEED}")
    model = nn.Sequential(nn.AvgPool2d(640, ceil_mode=True))
    x = values("float32", (2, 3, 4, 5))
    target = converter.convert(model, "tf", inputs=["input[n,3,4,5]"], verify=False).model
    assert same(target(tf.constant(x)), model(torch.from_numpy(x)).numpy())
