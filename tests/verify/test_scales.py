"""Scales of random inputs: each is what it says, and each shows a fault that the others hide."""

from __future__ import annotations

import numpy as np
import pytest

from verify import scales

SHAPE = (40, 50)


def test_scales_of_real_numbers(generator) -> None:
    values = {
        name: scales.real(name, SHAPE, generator, None) for name in (scales.NORMAL, *scales.SCALES)
    }
    assert 0.9 < values[""].std() < 1.1
    assert 0.9e-3 < values["small"].std() < 1.1e-3
    assert 27 < values["large"].std() < 33
    assert 0.4 < np.mean(values["zeros"] == 0) < 0.7
    assert not values["zeros"][0].any()
    assert len(np.unique(values["ties"])) < 25
    assert len(np.unique(values["constant"])) == 1


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (1e-6, 3e38), (-3e38, 5.0)])
@pytest.mark.parametrize("scale", ["", *scales.SCALES])
def test_real_numbers_stay_within_their_bounds(scale: str, bounds, generator) -> None:
    low, high = bounds
    values = scales.real(scale, SHAPE, generator, bounds)
    assert values.min() >= low
    assert values.max() <= high
    assert np.isfinite(values).all()
    assert (len(np.unique(values)) == 1) == (scale == "constant")


def test_scales_of_integers(generator) -> None:
    assert set(scales.integers("ties", SHAPE, generator, (3, 9)).flat) == {3, 9}
    assert len(set(scales.integers("constant", SHAPE, generator, (3, 9)).flat)) == 1
    assert set(scales.integers("", SHAPE, generator, (3, 9)).flat) == set(range(3, 10))
    assert scales.integers("constant", SHAPE, generator, (0, 1)).all()  # nothing is masked
    assert scales.booleans("constant", SHAPE, generator).all()
    assert 0.3 < scales.booleans("", SHAPE, generator).mean() < 0.7


FAULTS = {
    "small": ("normalised with another epsilon", lambda x: x / (x.abs() + 1e-4)),
    "large": ("clipped", lambda x: (x / (x.abs() + 1e-5)).where(x.abs() < 20, x.sign() * 0)),
    "zeros": ("sign of zero", lambda x: (x / (x.abs() + 1e-5)).where(x != 0, x + 1)),
    "constant": (
        "division by the spread",
        lambda x: x / (x.abs() + 1e-5) if x.max() > x.min() else x,
    ),
}


@pytest.mark.parametrize("scale", FAULTS)
def test_a_fault_that_shows_at_one_scale(scale: str) -> None:
    torch = pytest.importorskip("torch")
    from verify import verify

    class Net(torch.nn.Module):
        def __init__(self, function):
            super().__init__()
            self.function = function

        def forward(self, x):
            return self.function(x)

    sound = Net(lambda x: x / (x.abs() + 1e-5))
    arguments = {"inputs": "x:float32[batch,6]", "tolerance": "fixed"}
    report = verify(sound, Net(FAULTS[scale][1]), **arguments)
    failed = {run.label for run in report.runs if run.stage.failed}
    assert f"seed 0, {scale}" in failed
    assert verify(sound, Net(lambda x: x / (x.abs() + 1e-5)), **arguments).passed
