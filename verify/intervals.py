"""How much slower b is than a, from paired measurements, with a 95 % interval."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

RESAMPLES = 2000
SEED = 20240229
"""Of the bootstrap: the same measurements give the same interval."""

FEWEST = 6
"""Pairs from which the bootstrap is used: the range of 6 values holds their median in 97 % of all
cases, that of 5 in 94 %."""

STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
"""Quantiles 0.975 of Student's t with one degree of freedom less than there are pairs."""

Interval = tuple[float, float]


def ratio(pairs: Sequence[tuple[float, float]]) -> tuple[float, Interval]:
    """Return the ratio b / a and its 95 % interval.

    The ratio is the median of each pair's own ratio: what slows the machine down for a while hits
    both of a pair. The interval is the percentile bootstrap of that median (Efron and Tibshirani,
    "An Introduction to the Bootstrap", 1993, chapter 13); below `FEWEST` pairs Student's, of the
    logarithms.

    Args:
        pairs: seconds of a and of b, measured one after the other; more than 0.
    """
    logs = np.log([b / a for a, b in pairs])
    middle = float(np.median(logs))
    if len(logs) < 2:
        return math.exp(middle), (0.0, math.inf)
    if len(logs) < FEWEST:
        mean = float(logs.mean())
        reach = STUDENT[len(logs)] * float(logs.std(ddof=1)) / math.sqrt(len(logs))
        low, high = min(mean - reach, middle), max(mean + reach, middle)
    else:
        generator = np.random.default_rng(SEED)
        drawn = generator.integers(0, len(logs), (RESAMPLES, len(logs)))
        low, high = np.quantile(np.median(logs[drawn], axis=1), (0.025, 0.975))
    return math.exp(middle), (_exp(float(low)), _exp(float(high)))


def _exp(value: float) -> float:
    """Return e**value; a huge Student interval of two pairs overflows."""
    return math.exp(value) if value < 700 else math.inf
