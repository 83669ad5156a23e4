"""How numbers and sizes are written in every report."""

from __future__ import annotations

import math


def number(value: float, digits: int = 2) -> str:
    """Write an error or a limit: ``1.2e-06``, ``0``, ``nan``."""
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return str(value)
    return f"{value:.{digits}g}" if 1e-3 <= abs(value) < 1e4 else f"{value:.{digits - 1}e}"


def cosine(value: float) -> str:
    """Write a cosine with enough nines to tell apart what matters."""
    if math.isnan(value):
        return "nan"
    return f"{value:.6f}"


def decibel(value: float) -> str:
    """Write a ratio in dB; infinite where there is no difference."""
    return f"{value:.0f}" if math.isfinite(value) else str(value)


def seconds(value: float) -> str:
    """Write a duration in the unit that fits."""
    for limit, scale, unit in ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if value < limit:
            return f"{value * scale:.3g} {unit}"
    return f"{value:.3g} s"


def size(value: int) -> str:
    """Write a number of bytes in the unit that fits."""
    if value >= 1e9:
        return f"{value / 1e9:.2f} GB"
    return f"{value / 1e6:.0f} MB"
