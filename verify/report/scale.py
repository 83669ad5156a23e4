"""A logarithmic axis in percent of a chart's width or height."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class LogScale:
    """Maps positive numbers to 0 to 100.

    Attributes:
        low, high: powers of ten at the ends.
    """

    low: float
    high: float

    def percent(self, value: float) -> float:
        """Return where a value lies; what is beyond an end lies on it, NaN at the upper one."""
        if math.isnan(value):
            return 100.0
        if value <= 0:
            return 0.0
        exponent = math.log10(value) if math.isfinite(value) else self.high
        position = (exponent - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, position)), 2)

    def ticks(self, most: int = 8) -> list[tuple[str, float]]:
        """Return powers of ten with their places."""
        exponents = range(math.ceil(self.low), math.floor(self.high) + 1)
        step = max(1, math.ceil(len(exponents) / most))
        return [(power_of_ten(e), self.percent(10.0**e)) for e in exponents if e % step == 0]


def around(values: Iterable[float], lowest: float = -18.0) -> LogScale:
    """Return a scale of whole decades that holds every positive finite value."""
    exponents = [math.log10(value) for value in values if 0 < value < math.inf]
    exponents = exponents or [-8.0, 0.0]
    low = max(lowest, math.floor(min(exponents)))
    return LogScale(low, max(low + 1, math.ceil(max(exponents))))


def power_of_ten(exponent: int) -> str:
    """Write a power of ten as people do on an axis."""
    return "1" if exponent == 0 else f"1e{exponent}"
