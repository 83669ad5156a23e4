"""Shapes, windows and divisions of TensorFlow, at every size, empty ones too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch
from keras import layers

import converter


def agree(model: Any, spec: str, *shapes: tuple[int, ...], integers: bool = False) -> None:
    """Convert to PyTorch and compare, shapes included."""
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    result = converter.convert(model, "torch", inputs=[spec], verify=False).model
    for shape in shapes:
        drawn = rng.integers(-9, 9, shape) if integers else rng.normal(0, 3, shape)
        x = drawn.astype(spec.split(":")[1].split("[")[0])
        got, want = result(torch.from_numpy(x)).detach().numpy(), np.asarray(model(x))
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: tf.reshape(x, [tf.shape(x)[0], tf.shape(x)[1] * 2, 1]),
        lambda x: tf.reshape(x, [tf.shape(x)[0], 1, tf.shape(x)[1], 2]),
        lambda x: tf.reshape(x, [-1, 2]),
        lambda x: tf.reshape(x, tf.concat([tf.shape(x), [1]], 0)),
        lambda x: tf.tensordot(x, tf.ones([2, 3]), 1),
    ],
)
def test_a_size_of_nothing_stays_nothing(function: Callable[[Any], Any]) -> None:
    """A 0 in a shape of TensorFlow is a size; in ONNX it may stand for another one."""
    agree(tf.function(function), "x:float32[0<=n,0<=m,2]", (3, 4, 2), (3, 0, 2), (0, 4, 2))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 3), (2, 4), (1, 2), (3, 2)])
@pytest.mark.parametrize("size", [4, None])
def test_transposed_convolutions_grow_at_the_end(
    kernel: int, stride: int, padding: str, size: int | None
) -> None:
    inputs = keras.Input((size, size, 2))
    layer = layers.Conv2DTranspose(3, kernel, padding=padding, strides=stride)
    word = "h" if size is None else size
    agree(keras.Model(inputs, layer(inputs)), f"x:float32[n,{word},{word},2]", (2, 4, 4, 2))


def test_groups_over_three_axes_are_counted() -> None:
    inputs = keras.Input((3, 2, 2, 4))
    layer = layers.Conv3D(6, 2, groups=2, padding="same")
    agree(keras.Model(inputs, layer(inputs)), "x:float32[n,3,2,2,4]", (2, 3, 2, 2, 4))


@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_truncated_division_drops_the_fraction(dtype: str) -> None:
    agree(
        tf.function(lambda x: tf.truncatediv(x, tf.abs(x) // 2 + 1)),
        f"x:{dtype}[n]", (40,), integers=dtype == "int32",
    )  # fmt: skip


@pytest.mark.parametrize("dtype", ["int64", "float64", "int8", "float32"])
def test_the_largest_keep_their_digits(dtype: str) -> None:
    x = np.array([[2**24 + 1, 2**24, 3, 2**24 + 2], [1, 5, 5, 2]]).astype(dtype)
    if dtype == "float64":
        x /= 3
    model = tf.function(lambda x: tf.math.top_k(x, 3))
    result = converter.convert(model, "torch", inputs=[f"x:{dtype}[n,4]"], verify=False).model
    for got, want in zip(result(torch.from_numpy(x)), model(x), strict=True):
        np.testing.assert_array_equal(got.numpy(), want.numpy())
        assert str(got.dtype) == f"torch.{want.dtype.name}"


@pytest.mark.parametrize("shape", [(1, 1, 1, 3), (1, 2, 1, 3)])
@pytest.mark.parametrize(
    "function",
    [
        lambda y: tf.math.l2_normalize(y, axis=1),
        lambda y: tf.math.l2_normalize(y, axis=-1),
        lambda y: tf.nn.moments(y, [1, 2], keepdims=True)[1],
    ],
)
def test_maps_of_one_pixel(function: Callable[[Any], Any], shape: tuple[int, ...]) -> None:
    """A transposition of them moves nothing, but its axes are others."""
    filters = tf.reshape(tf.range(6.0), [1, 1, 3, 2])
    model = tf.function(lambda x: function(tf.nn.conv2d(x, filters, 1, "SAME")))
    agree(model, f"x:float32[{','.join(map(str, shape))}]", shape)
