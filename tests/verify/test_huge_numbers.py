"""Noise and verdict where squares leave the range of float64."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from verify.compare import compare
from verify.noise import CaseNoise, _first

EPSILON = {"float64": 2e-16, "float32": 1e-7}


class Runs:
    """Draws around a result."""

    def __init__(self, own: np.ndarray, epsilon: float, generator: np.random.Generator) -> None:
        self.result, self.epsilon, self.generator = own, epsilon, generator

    def moved(self, inputs, seed: int, reach: int = 1) -> dict[str, np.ndarray]:
        away = reach * self.epsilon * self.generator.standard_normal(self.result.shape)
        return {"y": self.result * (1 + away)}


@pytest.mark.parametrize(("dtype", "size"), [
    ("float64", 1e-250), ("float64", 1e-160), ("float64", 1.0), ("float64", 1e160),
    ("float64", 1e300), ("float32", 1e30),
])  # fmt: skip
def test_the_verdict_is_the_same_at_every_size(dtype: str, size: float, generator) -> None:
    epsilon = EPSILON[dtype]

    def rounded(values: np.ndarray) -> np.ndarray:
        return (values * (1 + epsilon * generator.standard_normal(values.shape))).astype(dtype)

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        exact = size * generator.uniform(0.5, 2.0, (8, 8))
        source, own, right = rounded(exact), rounded(exact), rounded(exact)
        case = CaseNoise(Runs(own, epsilon, generator), {})
        noise = case.outputs["y"] = _first(source, exact, exact, own, case)
        found = compare("y", source, right, None, noise)
        assert found.passed, found.reason
        assert np.isfinite([found.rms, found.snr_db, found.cosine]).all()
        wrong = right.copy()
        wrong[2, 3] *= 1 + 100 * epsilon
        assert not compare("y", source, wrong, None, noise).passed


def test_what_overflows_the_dtype_is_no_size_to_measure_others_by(generator) -> None:
    exact = generator.uniform(0.5, 2.0, (8, 8))
    source = exact.astype(np.float32)
    exact[0, 0], source[0, 0] = 1e200, np.inf
    case = CaseNoise(Runs(source, 1e-7, generator), {})
    noise = case.outputs["y"] = _first(source, exact, exact, source, case)
    assert noise.peak < 3
    assert compare("y", source, source.copy(), None, noise).passed
    wrong = source.copy()
    wrong[3, 3] += 1e-3
    assert not compare("y", source, wrong, None, noise).passed
