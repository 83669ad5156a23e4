"""The time of a comparison: what runs first, what is left out, and that every report says so."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
import torch
from torch import nn

from converter.errors import UsageError
from converter.signature import parse_inputs
from verify import verify
from verify.budget import COSTLY, DEFAULT, Budget, budget_seconds, most_telling_first
from verify.inputs import Case, cases

INPUT = "x:float32[batch,4]"


class Slow(nn.Module):
    """Takes its time, and may be wrong where there are more rows than ``wrong_above``."""

    def __init__(self, wrong_above: float = math.inf, seconds: float = 0.1) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.wrong_above, self.seconds = wrong_above, seconds
        nn.init.ones_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        time.sleep(self.seconds)
        return self.linear(x) + (1.0 if x.shape[0] > self.wrong_above else 0.0)


def compared(budget: str | None, wrong_above: float = math.inf):
    # The fixed table: tracing and noise take time of their own.
    options = {"tolerance": "fixed", "weights": False, "locate": False, "frozen": False}
    a, b = Slow().eval(), Slow(wrong_above).eval()
    return verify(a, b, inputs=INPUT, budget=budget, **options)


@pytest.fixture(scope="module")
def whole():
    return compared("none")


@pytest.fixture(scope="module")
def short():
    return compared("0.9s")


def test_without_a_limit_nothing_is_left_out(whole) -> None:
    assert whole.passed
    assert whole.budget.seconds is None
    assert whole.budget.left_out == ()
    assert "left out" not in str(whole)


def test_what_there_was_no_time_for_is_no_run_and_is_named(whole, short) -> None:
    planned = [run.title for run in whole.runs]
    ran = [run.title for run in short.runs]
    assert short.passed
    assert 1 <= len(ran) < len(planned)
    assert sorted([*ran, *short.budget.left_out]) == sorted(planned)
    assert ran == [title for title in planned if title in ran]  # in the planned order
    assert short.budget.seconds == pytest.approx(0.9)


def test_every_form_says_what_was_left_out(short) -> None:
    title = short.budget.left_out[0]
    assert f"({len(short.budget.left_out)} left out)" in str(short)
    for form in ("json", "junit", "markdown", "html", "sarif"):
        text = getattr(short, f"to_{form}")()
        assert title in text, form
        assert "left out" in text or "left_out" in text, form
    told = json.loads(short.to_json())["budget"]
    assert told["left_out"] == list(short.budget.left_out)
    assert f'skipped="{len(short.budget.left_out)}"' in short.to_junit()


def test_a_failure_stays_a_failure_however_short_the_time() -> None:
    report = compared("0.1s", wrong_above=1)
    assert len(report.runs) == 1
    assert not report.passed


def test_the_first_runs_show_what_one_size_alone_does_not() -> None:
    signature = parse_inputs(["x:float32[batch,seq,4]", "m:bool[batch,seq]"])
    planned = cases(signature, 3)
    order = most_telling_first(planned, signature)
    assert sorted(order) == list(range(len(planned)))
    first = [planned[place] for place in order[:3]]
    assert min(first[0].sizes.values()) > 1
    assert set(first[1].sizes.values()) == {1}
    assert max(first[2].sizes.values()) == max(max(c.sizes.values()) for c in planned)
    scales = [planned[place].scale for place in order[3:9]]
    assert all(scales[: len({c.scale for c in planned if c.scale})])
    without_rows = next(i for i, place in enumerate(order) if 0 in planned[place].sizes.values())
    assert all(not planned[place].scale for place in order[without_rows:])


def test_the_user_s_own_data_run_first() -> None:
    signature = parse_inputs(["x:float32[batch,4]"])
    own = Case("data", data={"x": np.zeros((2, 4), np.float32)})
    planned = [*cases(signature, 3), own]
    assert most_telling_first(planned, signature)[0] == len(planned) - 1


class Clock:
    """Seconds that pass when they are told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_costly_model_has_more_time_by_default() -> None:
    clock = Clock()
    budget = Budget(clock=clock)
    assert budget.another()
    assert budget.seconds == DEFAULT
    clock.now = 40.0
    budget.ran(40.0)
    assert budget.seconds == 40.0 * COSTLY
    assert budget.another()
    assert budget.remaining(2) == 80.0
    clock.now = 121.0
    assert not budget.another()  # 39 s are left, and a run takes 40


def test_by_default_starting_up_does_not_count() -> None:
    for given, left in ((None, DEFAULT), (60.0, 10.0)):
        clock = Clock()
        budget = Budget(given, clock=clock)
        clock.now = 50.0
        budget.begin()
        assert budget.left == left


def test_time_is_kept_for_what_comes_after_the_runs() -> None:
    clock = Clock()
    budget = Budget(10.0, reserved=0.5, clock=clock)
    clock.now = 4.0
    budget.ran(2.0)
    assert not budget.another()
    assert Budget(10.0, clock=clock).another()


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("2m", 120), (5, 5), ("1.5", 1.5), ("none", math.inf)]
)
def test_a_budget_is_read(text: str, seconds: float) -> None:
    assert budget_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "0s", "-3", "30 parsecs", "s", "nan"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read the budget"):
        budget_seconds(text)
