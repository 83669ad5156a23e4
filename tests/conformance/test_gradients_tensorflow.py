"""Gradients of the operators rebuilt in TensorFlow: finite differences in float64, and PyTorch's.

Each output is multiplied by a random tensor and all is summed up; the gradient of that sum through
the rebuilt operator has to be what central differences say, and what the rebuild in PyTorch says.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
import tensorflow as tf
import torch

from converter.rebuild import pytorch, tensorflow
from converter.rebuild.pytorch.dtypes import from_numpy as to_torch
from converter.rebuild.tensorflow.dtypes import from_numpy as to_tensorflow
from tests.conformance.differentiable import SAMPLES, Draw
from tests.conformance.samples import Sample, model_of


class Projected:
    """A sample's operator, its outputs projected to one number.

    Attributes:
        values: the inputs to differentiate by.
    """

    def __init__(self, sample: Sample, seed: int) -> None:
        self.sample = sample
        self.model = ir.serde.deserialize_model(model_of(sample))
        self.values = [np.asarray(sample.inputs[i], dtype=np.float64) for i in sample.wrt]
        self.module = tensorflow.build(self.model)
        self.present = [i for i, x in enumerate(sample.inputs) if x is not None]
        rng = np.random.default_rng(seed)
        outputs = _tuple(self.module(*self._given(self.values, to_tensorflow)))
        self.floating = [i for i, y in enumerate(outputs) if y.dtype.is_floating]
        self.weights = [rng.uniform(0.5, 1.5, outputs[i].shape) for i in self.floating]

    def _given(self, values: list, convert: Callable) -> list:
        replaced = dict(zip(self.sample.wrt, values, strict=True))
        given = (replaced.get(i, self.sample.inputs[i]) for i in self.present)
        return [convert(x) if isinstance(x, np.ndarray) else x for x in given]

    def number(self, values: list) -> tf.Tensor:
        outputs = _tuple(self.module(*self._given(values, to_tensorflow)))
        pairs = zip(self.floating, self.weights, strict=True)
        return tf.add_n([tf.reduce_sum(tf.cast(outputs[i], tf.float64) * w) for i, w in pairs])

    def gradient(self) -> list[np.ndarray]:
        values = [tf.constant(value) for value in self.values]
        with tf.GradientTape() as tape:
            tape.watch(values)
            number = self.number(values)
        found = tape.gradient(number, values, unconnected_gradients="zero")
        return [tf.convert_to_tensor(g).numpy() for g in found]

    def differences(self, step: float) -> list[np.ndarray]:
        results = [np.zeros_like(value) for value in self.values]
        for result, value in zip(results, self.values, strict=True):
            for place in np.ndindex(value.shape):
                kept = value[place]
                ends = []
                for moved in (kept + step, kept - step):
                    value[place] = moved
                    ends.append(float(self.number(self.values)))
                value[place] = kept
                result[place] = (ends[0] - ends[1]) / (2 * step)
        return results

    def gradient_in_pytorch(self) -> list[np.ndarray]:
        values = [to_torch(value).requires_grad_() for value in self.values]
        outputs = _tuple(pytorch.build(self.model)(*self._given(values, to_torch)))
        pairs = zip(self.floating, self.weights, strict=True)
        number = sum((outputs[i].double() * to_torch(w)).sum() for i, w in pairs)
        return [g.numpy() for g in torch.autograd.grad(number, values, materialize_grads=True)]


def _tuple(results) -> tuple:
    return results if isinstance(results, tuple | list) else (results,)


def agree(found: list, wanted: list, tolerance: float) -> None:
    for got, want in zip(found, wanted, strict=True):
        np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


@pytest.fixture
def seed() -> int:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    return seed


@pytest.mark.parametrize("name", SAMPLES)
def test_gradient(name: str, seed: int) -> None:
    sample = SAMPLES[name](Draw(seed))
    projected = Projected(sample, seed)
    found = projected.gradient()
    step, tolerance = (1e-3, 2e-2) if sample.single else (1e-6, 1e-5)
    agree(found, projected.differences(step), tolerance)
    agree(found, projected.gradient_in_pytorch(), 1e-4 if sample.single else 1e-7)


def test_a_wrong_gradient_is_caught(seed: int) -> None:
    """The planted fault: the gradient of `Mul` with one factor taken for a constant."""
    projected = Projected(SAMPLES["Mul"](Draw(seed)), seed)
    found = projected.gradient()
    found[0] = np.zeros_like(found[0])
    with pytest.raises(AssertionError):
        agree(found, projected.differences(1e-6), 1e-5)
    with pytest.raises(AssertionError):
        agree(found, projected.gradient_in_pytorch(), 1e-7)
