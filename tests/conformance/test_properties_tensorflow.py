"""Random samples of the most used operators in TensorFlow against onnx.reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from converter.onnx_backend import TensorFlowBackend
from tests.conformance.properties import check
from tests.conformance.property_table import PROPERTIES
from tests.conformance.samples import Sample, model_of
from tests.conformance.suite import altered

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")


@pytest.mark.parametrize("name", PROPERTIES)
def test_property(name: str) -> None:
    @settings(max_examples=15, deadline=None, print_blob=True, suppress_health_check=SLOW)
    @given(PROPERTIES[name])
    def agrees(sample: Sample) -> None:
        check(TensorFlowBackend, sample)

    agrees()


class OpenSizes:
    """The backend, given the model with every size open; so nothing is known before the run."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample

    def run_model(self, model, inputs):
        return TensorFlowBackend.run_model(model_of(self.sample, static=False), inputs)


@pytest.mark.parametrize("name", [name for name in PROPERTIES if name != "Squeeze"])
def test_property_with_open_sizes(name: str) -> None:
    """`Squeeze` without axes is left out: the rank of its result would depend on the sizes."""

    @settings(max_examples=6, deadline=None, print_blob=True, suppress_health_check=SLOW)
    @given(PROPERTIES[name])
    def agrees(sample: Sample) -> None:
        check(OpenSizes(sample), sample)

    agrees()


@pytest.mark.parametrize("dtype", UNSIGNED)
@pytest.mark.parametrize("name", ["Add", "Max", "Tile", "ReduceSum", "Less", "Where"])
def test_unsigned_integers_that_lack_kernels(name: str, dtype: str) -> None:
    """TensorFlow has holes in these types that a random sample seldom meets."""
    big = np.array([0, 1, np.iinfo(dtype).max // 2, np.iinfo(dtype).max // 2 - 3], dtype)
    inputs = {
        "Tile": (big, np.array([2])),
        "ReduceSum": (big[:3], np.array([0])),
        "Where": (big > 1, big, big[::-1].copy()),
    }
    check(TensorFlowBackend, Sample(name, inputs.get(name, (big, big[::-1].copy()))))


def test_an_altered_reference_is_caught() -> None:
    sample = Sample("Add", (np.ones((2, 3), np.float32), np.ones(3, np.float32)))
    check(TensorFlowBackend, sample)
    with pytest.raises(AssertionError):
        check(TensorFlowBackend, sample, altered)


def test_a_wrong_element_type_is_caught() -> None:
    class Wider:
        @staticmethod
        def run_model(model, inputs):
            return tuple(x.astype(np.float64) for x in TensorFlowBackend.run_model(model, inputs))

    with pytest.raises(AssertionError, match="float64"):
        check(Wider, Sample("Neg", (np.ones(2, np.float32),)))
