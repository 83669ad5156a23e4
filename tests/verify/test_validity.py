"""A source that gives NaN: its inputs are made valid where its graph says how, or it is told."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from verify import verify
from verify.compare import compare
from verify.noise import Reference
from verify.report.result import Uncompared
from verify.validity import NumbersSeen, nothing_but_noise

torch = pytest.importorskip("torch")


class Function(torch.nn.Module):
    """A function of ``x``."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


INPUTS = "x:float32[batch,8]"


def test_inputs_are_kept_to_the_domain_of_the_graph() -> None:
    sound = Function(lambda x: torch.log(x) * 3)
    report = verify(sound, sound, inputs=INPUTS, seeds=1)
    assert report.passed
    assert any("kept to what its graph takes" in note for note in report.findings)
    assert not any("is NaN in" in note for note in report.findings)
    # A fault that shows at some values only is found among valid ones.
    wrong = Function(lambda x: torch.log(x) * torch.where(x > 0.5, 3.1, 3.0))
    assert not verify(sound, wrong, inputs=INPUTS, seeds=1, frozen=False).passed


def test_where_the_graph_does_not_say_it_is_told() -> None:
    model = Function(lambda x: torch.log(torch.tanh(x) - 0.5))
    report = verify(model, model, inputs=INPUTS, seeds=1)
    assert any("output of a is NaN in up to" in note for note in report.findings)


def test_users_data_stays_as_it_is() -> None:
    model = Function(torch.log)
    report = verify(model, model, data=(-np.ones((2, 8), np.float32),))
    assert any("NaN in up to 100 %" in note for note in report.findings)


class Draws:
    """A graph whose result is always the exact one, but where results move far."""

    choices: ClassVar[dict] = {}

    def __init__(self, exact: np.ndarray, far: np.ndarray) -> None:
        self.result, self.far = exact, far

    def exact(self, inputs):
        return {"y": self.result}

    def own(self, inputs):
        return {"y": self.result.astype(np.float16)}

    def moved(self, inputs, seed, reach=1):
        return {"y": (self.far if reach > 1 else self.result).astype(np.float16)}


def noise_of(exact: np.ndarray, far: np.ndarray):
    runs = Draws(exact, far)
    return Reference(None, runs).noise({}, runs.own({}))["y"]


HALVES = "x:float16[batch,8]"


def overflowing(x):
    """Overflow float16 where x is past 33, for nothing."""
    return (x * 2000) / 2000


def careful(x):
    """Compute the same in float32."""
    return overflowing(x.float()).half()


def test_where_the_source_overflows_at_a_scale_nobody_asked_for_it_decides_nothing() -> None:
    source = Function(overflowing)
    report = verify(source, Function(careful), inputs=HALVES, seeds=1)
    assert report.passed, report.failures
    assert any("overflows its own type" in note for note in report.findings)
    wrong = Function(lambda x: careful(x) * 1.05)
    assert not verify(source, wrong, inputs=HALVES, seeds=1, locate=False).passed
    # What is wrong beside the overflow, at that scale alone, is no overflow.
    late = Function(lambda x: torch.where((x.abs() > 10) & (x.abs() < 30), x + 1, careful(x)))
    assert not verify(source, late, inputs=HALVES, seeds=1, locate=False).passed


def test_an_overflow_on_inputs_that_were_asked_for_fails_and_is_called_so() -> None:
    x = np.full((2, 8), 200, np.float16)
    report = verify(Function(overflowing), Function(careful), data=(x,), locate=False)
    assert not report.passed
    assert "a overflows float16: in 16 of them the exact result is finite" in report.failures[0]


def test_a_source_on_the_brink_of_an_overflow_decides_nothing_either() -> None:
    exact, far = np.full((2, 4), 0.5), np.array([[np.nan] * 4, [0.5] * 4])
    noise = noise_of(exact, far)
    wrong = np.full((2, 4), 0.5, np.float16)
    wrong[0, 1] = 0.9
    item = compare("y", noise.source, wrong, None, noise)
    assert not item.passed
    assert item.overflow == 4
    assert nothing_but_noise({"y": item})[0] is Uncompared.OVERFLOW
    wrong[1, 1] = 0.9
    item = compare("y", noise.source, wrong, None, noise)
    assert not item.overflow
    assert not nothing_but_noise({"y": item})


def test_what_counts_as_little() -> None:
    seen = NumbersSeen()
    seen.see({"y": np.array([1.0, np.nan, 2.0]), "n": np.array([1, 2])})
    assert seen.nan
    assert seen.findings() == []
    seen.see({"y": np.array([np.nan, np.nan, 2.0])})
    assert "67 %" in seen.findings()[0]
    assert "1 of 2 runs" in seen.findings()[0]
    clean = NumbersSeen()
    clean.see({"y": np.zeros(3), "empty": np.zeros((0, 3))})
    assert not clean.nan


class Chaotic(torch.nn.Module):
    """Doubles its distance from where it was, step by step, if the input is large."""

    def __init__(self, slope: float = 3.99, shift: float = 0.0) -> None:
        super().__init__()
        self.slope, self.shift = slope, shift

    def forward(self, x):
        state = torch.sigmoid(x)
        for _ in range(40):
            state = torch.where(x.abs() > 5, self.slope * state * (1 - state), state)
        return state + self.shift


class Reordered(Chaotic):
    """The same in other operations."""

    def forward(self, x):
        state = 1 / (1 + torch.exp(-x))
        for _ in range(40):
            state = torch.where(x.abs() > 5, self.slope * (state - state * state), state)
        return state + self.shift


def test_noise_at_a_scale_that_nobody_asked_for_is_no_verdict() -> None:
    options = {"inputs": INPUTS, "seeds": 1, "frozen": False, "weights": False, "locate": False}
    report = verify(Chaotic(), Reordered(), **options)
    assert report.passed, report.failures
    assert any("a decides nothing there: seed 0, large" in note for note in report.findings)
    # What shows where the source is precise is a failure, and so is noise on the user's own data.
    assert not verify(Chaotic(), Reordered(shift=1e-3), **options).passed
    data = {"x": np.linspace(5.1, 9, 8, dtype=np.float32)[None]}
    options.pop("inputs")
    assert not verify(Chaotic(), Reordered(), inputs=data, **options).passed
