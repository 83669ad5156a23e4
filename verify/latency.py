"""How long both sides take, measured so that the machine's moods hit both alike.

A pair is four rounds on the same inputs, in the order a, b, b, a: a slow drift and being first cost
both sides the same. Each pair gives one ratio, all pairs its interval (`verify.intervals`).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from verify.intervals import ratio
from verify.report.result import Latency, Timing

ROUND_SECONDS = 0.01
"""A round has as many runs as fit in this, so that the way to the worker does not count."""
MOST_PER_ROUND = 50
MOST_SAMPLES = 500
"""Durations that are kept of each side."""
SETTLED = 0.05
"""A block of warm-up runs is calm if it is no more than this share faster than the one before."""
CALM = 2
"""Calm blocks in a row, each twice as long as the last, that end the warm-up."""

Clock = Callable[[], float]


class Timed(Protocol):
    """A side that has run once and can repeat that run."""

    def time(self, count: int) -> list[float]:
        """Repeat the last run and return the seconds of each."""


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    Attributes:
        warm_up: seconds for each side's warm-up, at most.
        least: seconds for all pairs, at least.
        most: seconds for all pairs, at most, whatever ``pairs`` says.
        pairs: how many pairs, at least.
        fewest: how many pairs, at least, whatever they take.
    """

    warm_up: float = 1.0
    least: float = 0.5
    most: float = 8.0
    pairs: int = 12
    fewest: int = 2


QUICK = Effort(warm_up=0.5, least=0.2, most=2.0, pairs=6)
"""For one size of many."""


def within(seconds: float) -> Effort:
    """Return the effort for so many seconds in all: the usual one, or less where they are few."""
    usual = Effort()
    share = min(1.0, max(0.05, seconds) / (2 * usual.warm_up + usual.most))
    return Effort(
        share * usual.warm_up, share * usual.least, share * usual.most,
        max(usual.fewest, round(share * usual.pairs)), usual.fewest,
    )  # fmt: skip


def measure(
    a: Timed,
    b: Timed,
    *,
    max_slowdown: float | None = None,
    inputs: str = "",
    effort: Effort | None = None,
    clock: Clock = time.perf_counter,
) -> Latency:
    """Time both sides in turns.

    Args:
        max_slowdown: how many times as long as a b may take. It fails only if the whole 95 %
            interval of the ratio lies above it.
        inputs: how the report calls the inputs.
        effort: how long to measure.
        clock: gives the seconds that bound the measuring itself.
    """
    effort = effort or Effort()
    settled = [warm_up(side, effort.warm_up, clock) for side in (a, b)]
    slowest = max(seconds for seconds, _ in settled)
    count = max(1, min(MOST_PER_ROUND, int(ROUND_SECONDS / max(slowest, 1e-9))))
    seconds: dict[str, list[float]] = {"a": [], "b": []}
    pairs: list[tuple[float, float]] = []
    start = clock()
    while (spent := clock() - start) < effort.most or len(pairs) < effort.fewest:
        if len(pairs) >= max(effort.pairs, effort.fewest) and spent >= effort.least:
            break
        middles = {"a": 1.0, "b": 1.0}
        for label in "abba":
            durations = (a if label == "a" else b).time(count)
            seconds[label] += durations
            middles[label] *= max(statistics.median(durations), 1e-9)
        pairs.append((middles["a"] ** 0.5, middles["b"] ** 0.5))
    middle, interval = ratio(pairs)
    return Latency(
        summary(seconds["a"]), summary(seconds["b"]), middle, max_slowdown, inputs,
        interval=interval, pairs=len(pairs), settled=all(done for _, done in settled),
    )  # fmt: skip


def warm_up(side: Timed, most: float, clock: Clock) -> tuple[float, bool]:
    """Run until it becomes no faster; returns the seconds of a run, and whether it settled.

    Blocks of runs become longer, so that caches, clocks and just-in-time compilers get their time.

    Args:
        most: seconds after which it is enough.
    """
    start = clock()
    before = min(side.time(2))
    count, calm = 3, 0
    while clock() - start < most:
        now = statistics.median(side.time(count))
        calm = calm + 1 if now >= before * (1 - SETTLED) else 0
        if calm == CALM:
            return min(now, before), True
        before, count = now, min(2 * count, MOST_PER_ROUND)
    return before, False


def summary(seconds: Sequence[float]) -> Timing:
    """Return median, 90th and 99th percentile (the next larger duration), and the durations."""
    ordered = sorted(seconds)

    def percentile(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    step = -(-len(seconds) // MOST_SAMPLES)
    return Timing(
        statistics.median(ordered), percentile(0.9), len(ordered), percentile(0.99),
        tuple(seconds[::step]),
    )  # fmt: skip
