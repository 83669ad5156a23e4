"""The handlers of both frameworks against each other, and integers against exact arithmetic.

Each framework is held against onnx.reference elsewhere; where that is wrong or has holes, the twins
still have to agree.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from converter.onnx_backend import PyTorchBackend, TensorFlowBackend
from tests.conformance.properties import TOLERANCE
from tests.conformance.property_table import PROPERTIES
from tests.conformance.samples import Sample, model_of
from tests.conformance.twins_table import LARGE, TWINS

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def agree(sample: Sample, alter: Any = lambda x: x) -> None:
    """Compare both frameworks' results: shape, element type, values.

    Raises:
        AssertionError: they differ.
    """
    model = model_of(sample)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = PyTorchBackend.run_model(model, sample.arrays())
        second = TensorFlowBackend.run_model(model, sample.arrays())
    for a, b in zip(first, second, strict=True):
        b = alter(b)
        assert a.dtype == b.dtype, f"{a.dtype}, {b.dtype}"
        assert a.shape == b.shape, f"{a.shape}, {b.shape}"
        rtol, atol = TOLERANCE.get(a.dtype.name, (0, 0))
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", [*PROPERTIES, *TWINS])
def test_twins_agree(name: str) -> None:
    @settings(max_examples=8, deadline=None, print_blob=True, suppress_health_check=SLOW)
    @given((PROPERTIES | TWINS)[name])
    def agrees(sample: Sample) -> None:
        agree(sample)

    agrees()


def test_twins_that_differ_are_caught() -> None:
    sample = Sample("Add", (np.ones((2, 3), np.float32), np.ones(3, np.float32)))
    agree(sample)
    with pytest.raises(AssertionError):
        agree(sample, lambda x: x + 1)


@pytest.mark.parametrize("backend", [PyTorchBackend, TensorFlowBackend], ids=["torch", "tf"])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("name", LARGE)
def test_large_integers_are_exact(name: str, dtype: str, backend: Any) -> None:
    """Past 2^24 a detour through float32 shows, past 2^53 one through float64."""
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    low = 2**24 if dtype == "int32" else 2**53
    x = np.random.default_rng(seed).integers(low, 8 * low, (2, 3, 4, 4)).astype(dtype) | 1
    detour = x.astype(np.float32 if dtype == "int32" else np.float64).astype(dtype)
    assert (detour != x).any()
    sample, wanted = LARGE[name](x)
    results = backend.run_model(model_of(sample), sample.arrays())
    np.testing.assert_array_equal(results[0], wanted)
    assert results[0].dtype == wanted.dtype
