"""How long both sides take, measured so that the machine's moods hit both alike."""

from __future__ import annotations

import statistics
import time
from typing import Protocol

from verify.report.result import Latency, Timing

WARM_UP = 3
LEAST_RUNS = 20
MOST_SECONDS = 8.0
"""Per measurement, warm-up aside; at least three rounds are measured whatever they take."""
ROUND_SECONDS = 0.01
"""A round has as many runs as fit in this, so that the way to the worker does not count."""


class Timed(Protocol):
    """A side that has run once and can repeat that run."""

    def time(self, count: int) -> list[float]:
        """Repeat the last run and return the seconds of each."""


def measure(a: Timed, b: Timed, *, max_slowdown: float | None = None, inputs: str = "") -> Latency:
    """Time both sides in turns, a first in one round and b first in the next.

    Args:
        max_slowdown: the largest ratio of b's median to a's that passes.
        inputs: how the report calls the inputs.
    """
    slowest = max(min(side.time(WARM_UP)) for side in (a, b))
    per_round = max(1, min(50, int(ROUND_SECONDS / max(slowest, 1e-9))))
    seconds_a: list[float] = []
    seconds_b: list[float] = []
    start = time.perf_counter()
    rounds = 0
    while rounds < 3 or (
        len(seconds_a) < LEAST_RUNS or rounds < 8
    ) and time.perf_counter() - start < MOST_SECONDS:  # fmt: skip
        pair = ((a, seconds_a), (b, seconds_b))
        for side, seconds in pair if rounds % 2 == 0 else reversed(pair):
            seconds += side.time(per_round)
        rounds += 1
    timing_a, timing_b = summary(seconds_a), summary(seconds_b)
    ratio = timing_b.median / timing_a.median if timing_a.median else float("inf")
    return Latency(timing_a, timing_b, ratio, max_slowdown, inputs)


def summary(seconds: list[float]) -> Timing:
    """Return median and 90th percentile."""
    ordered = sorted(seconds)
    p90 = ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))]
    return Timing(statistics.median(ordered), p90, len(ordered))
