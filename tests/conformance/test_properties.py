"""Random samples of the most used operators in PyTorch against onnx.reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converter.onnx_backend import PyTorchBackend
from tests.conformance.properties import check
from tests.conformance.property_table import PROPERTIES
from tests.conformance.samples import Sample
from tests.conformance.suite import altered

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.mark.parametrize("name", PROPERTIES)
def test_property(name: str) -> None:
    @settings(max_examples=25, deadline=None, print_blob=True, suppress_health_check=SLOW)
    @given(PROPERTIES[name])
    def agrees(sample: Sample) -> None:
        check(PyTorchBackend, sample)

    agrees()


def test_an_altered_reference_is_caught() -> None:
    sample = Sample("Add", (np.ones((2, 3), np.float32), np.ones(3, np.float32)))
    check(PyTorchBackend, sample)
    with pytest.raises(AssertionError):
        check(PyTorchBackend, sample, altered)


def test_a_wrong_element_type_is_caught() -> None:
    class Wider:
        @staticmethod
        def run_model(model, inputs):
            return tuple(x.astype(np.float64) for x in PyTorchBackend.run_model(model, inputs))

    with pytest.raises(AssertionError, match="float64"):
        check(Wider, Sample("Neg", (np.ones(2, np.float32),)))


def test_there_are_a_hundred_operators() -> None:
    assert len(PROPERTIES) >= 100


def test_samples_hold_zeros_and_every_rank() -> None:
    ranks, zeros = set(), False

    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(st.sampled_from(("Add", "Exp", "Transpose")).flatmap(PROPERTIES.get))
    def collect(sample: Sample) -> None:
        nonlocal zeros
        ranks.add(sample.inputs[0].ndim)
        zeros = zeros or 0 in sample.inputs[0].shape

    collect()
    assert ranks >= {0, 1, 2, 3, 4, 5}
    assert zeros
