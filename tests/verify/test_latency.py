"""The statistics of timing, on clocks that are made up: nothing here depends on a real one."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.verify.models import classifier
from verify import verify
from verify.intervals import FEWEST, ratio
from verify.latency import MOST_SAMPLES, QUICK, Effort, measure, summary, warm_up
from verify.report.result import Latency, Timing


class Clock:
    """Time that passes only while something runs."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Machine:
    """A side of made-up speed: log-normal noise, the machine's moods, and a cold start.

    Args:
        seconds: of a run.
        mood: factor on all that runs at a moment, by the time.
        cold: how many runs are slower, the first one ten times.
    """

    def __init__(self, clock, generator, seconds, noise=0.1, mood=lambda now: 1.0, cold=0) -> None:
        self.clock, self.generator, self.seconds = clock, generator, seconds
        self.noise, self.mood, self.cold, self.runs = noise, mood, cold, 0

    def time(self, count: int) -> list[float]:
        taken = []
        for _ in range(count):
            factor = self.mood(self.clock.now) * math.exp(self.noise * self.generator.normal())
            if self.runs < self.cold:
                factor *= 1 + 9 * (1 - self.runs / self.cold)
            self.runs += 1
            taken.append(self.seconds * factor)
            self.clock.now += taken[-1]
        return taken


def timed(generator, slowdown: float, **options) -> Latency:
    clock = Clock()
    machine = {name: options.pop(name) for name in ("noise", "mood", "cold") if name in options}
    seconds = options.pop("seconds", 1e-3)
    a = Machine(clock, generator, seconds, **machine)
    b = Machine(clock, generator, seconds * slowdown, **machine)
    return measure(a, b, clock=clock, **options)


@pytest.mark.parametrize("slowdown", [0.5, 1.0, 1.3, 4.0])
def test_the_ratio_and_its_interval_hold_the_planted_slowdown(generator, slowdown: float) -> None:
    found = [timed(generator, slowdown) for _ in range(60)]
    inside = sum(item.interval[0] <= slowdown <= item.interval[1] for item in found)
    assert inside >= 45  # 95 % of 60 is 57; a median's bootstrap is a little too narrow
    assert np.median([item.ratio for item in found]) == pytest.approx(slowdown, rel=0.03)
    assert all(item.interval[0] <= item.ratio <= item.interval[1] for item in found)
    assert all(item.interval[1] / item.interval[0] < 1.2 for item in found)


def test_the_gate_catches_a_slowdown_and_raises_no_false_alarm(generator) -> None:
    def failures(slowdown: float) -> int:
        return sum(not timed(generator, slowdown, max_slowdown=1.1).passed for _ in range(40))

    assert failures(1.0) == 0
    assert failures(1.3) == 40
    # Just at the gate: the interval holds it, so it fails only by the 2.5 % that it does not.
    assert failures(1.1) <= 6


def test_a_drift_of_the_machine_is_not_taken_for_a_slowdown(generator) -> None:
    def slower_and_slower(now: float) -> float:
        return 1 + now

    drifting = timed(generator, 1.0, mood=slower_and_slower, max_slowdown=1.1)
    assert drifting.a.p99 / min(drifting.a.samples) > 1.3  # it drifts indeed
    assert drifting.ratio == pytest.approx(1, abs=0.05)
    assert not timed(generator, 1.5, mood=slower_and_slower, max_slowdown=1.1).passed


def test_the_warm_up_ends_when_it_becomes_no_faster(generator) -> None:
    clock = Clock()
    machine = Machine(clock, generator, 1e-3, noise=0.01, cold=60)
    seconds, settled = warm_up(machine, 10.0, clock)
    assert settled
    assert machine.runs >= 60
    assert seconds == pytest.approx(1e-3, rel=0.2)
    hurried = Machine(clock, generator, 1e-3, noise=0.01, cold=10**6)
    assert not warm_up(hurried, 0.01, clock)[1]


def test_measuring_is_bounded_and_long_enough(generator) -> None:
    effort = Effort()
    quick = timed(generator, 1.0, seconds=1e-6)
    assert quick.pairs >= effort.pairs
    slow = timed(generator, 1.0, seconds=3.0, noise=0.01)
    assert slow.pairs == effort.fewest
    assert slow.a.runs == slow.b.runs == 2 * effort.fewest
    middling = timed(generator, 1.0, seconds=0.1)
    assert sum(middling.a.samples) + sum(middling.b.samples) < effort.most * 1.2
    assert sum(timed(generator, 1.0, seconds=1e-3).a.samples) * 2 > effort.least * 0.9
    assert timed(generator, 1.0, effort=QUICK).pairs < timed(generator, 1.0).pairs


def test_few_pairs_say_how_little_they_know(generator) -> None:
    pairs = [(1.0, 1.2), (1.0, 1.3)]
    middle, (low, high) = ratio(pairs)
    assert 1.2 < middle < 1.3
    assert low < 0.8
    assert high > 1.7
    assert ratio(pairs[:1])[1] == (0.0, math.inf)
    widths = []
    for count in (2, 3, FEWEST, 40):
        noisy = [(1.0, float(math.exp(0.1 * generator.normal()))) for _ in range(count)]
        low, high = ratio(noisy)[1]
        widths.append(high / low)
    assert widths[-1] < 1.15
    assert ratio(noisy) == ratio(noisy)


def test_percentiles_and_samples() -> None:
    timing = summary([float(value) for value in range(1, 101)])
    assert (timing.median, timing.p90, timing.p99, timing.runs) == (50.5, 91.0, 100.0, 100)
    assert timing.samples == tuple(map(float, range(1, 101)))
    many = summary([float(value) for value in range(5 * MOST_SAMPLES)])
    assert len(many.samples) == MOST_SAMPLES
    assert many.samples[:3] == (0.0, 5.0, 10.0)
    assert many.runs == 5 * MOST_SAMPLES


def test_the_verdict_is_the_intervals() -> None:
    timing = Timing(1.0, 1.0, 10)
    latency = Latency(timing, timing, 1.3, 1.1, interval=(1.05, 1.6))
    assert latency.passed
    assert not replace(latency, interval=(1.11, 1.6)).passed
    assert not replace(latency, interval=None).passed
    assert replace(latency, max_slowdown=None, interval=(2.0, 3.0)).passed


def test_the_sweep_takes_the_sizes_that_are_declared(generator) -> None:
    inputs = "x:float32[batch<=5,4]"
    report = verify(classifier(), classifier(), inputs=inputs, seeds=1, batch_sweep=True)
    assert report.passed, report.failures
    assert report.latency is not None
    assert [(row.name, row.size) for row in report.latency.sweep] == [
        ("batch", 1), ("batch", 2), ("batch", 4)
    ]  # fmt: skip
    assert all(row.interval[0] <= row.ratio <= row.interval[1] for row in report.latency.sweep)
    own = generator.standard_normal((3, 4)).astype(np.float32)
    alone = verify(classifier(), classifier(), data=(own,), batch_sweep=True)
    assert alone.latency is not None
    assert alone.latency.sweep == ()
    assert any("no batch sweep: the inputs are the user's own" in note for note in alone.findings)
