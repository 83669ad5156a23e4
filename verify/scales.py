"""Values of random inputs at several scales: what a conversion gets wrong may hide at one of them.

An epsilon shows where values are small, a clip bound or an overflow where they are large, a wrong
comparison where values are zero or equal, a wrong variance where they are all the same.
"""

from __future__ import annotations

import numpy as np

NORMAL = ""
SCALES = ("small", "large", "zeros", "ties", "constant")
"""Beside the normal one, where an input holds floating-point numbers."""

INTEGER_SCALES = ("ties", "constant")
"""Where all inputs are integers."""

SMALL, LARGE = 1e-3, 30.0
"""Standard deviations."""

ENDLESS = 1e30
"""Bounds beyond this are none."""

Bounds = tuple[float, float]


def real(
    scale: str, shape: tuple[int, ...], generator: np.random.Generator, bounds: Bounds | None
) -> np.ndarray:
    """Return float64 values of one scale.

    Args:
        scale: `NORMAL`: mean 0 and deviation 1. ``small`` and ``large``: deviation `SMALL` and
            `LARGE`. ``zeros``: half of the elements are exactly 0, and so is the whole first row.
            ``ties``: multiples of a half, few of them. ``constant``: all the same.
        bounds: smallest and largest valid value. Between two ends values are spread evenly; above
            one end they lie as far as without it.
    """
    if bounds is None:
        return _free(scale, shape, generator)
    low, high = bounds
    if low > -ENDLESS and high < ENDLESS:
        return np.clip(low + (high - low) * _unit(scale, shape, generator), low, high)
    away = np.abs(_free(scale, shape, generator))
    return low + away if low > -ENDLESS else high - away


def _free(scale: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    if scale == "constant":
        return np.full(shape, generator.standard_normal())
    values = generator.standard_normal(shape)
    if scale == "zeros":
        return _with_zeros(values, generator)
    if scale == "ties":
        return np.round(2 * values) / 2
    return values * {"small": SMALL, "large": LARGE}.get(scale, 1.0)


def _unit(scale: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Return values from 0 to 1, both ends among them where there are ties."""
    if scale == "constant":
        return np.full(shape, generator.random())
    values = generator.random(shape)
    if scale == "zeros":
        return _with_zeros(values, generator)
    if scale == "ties":
        return np.round(4 * values) / 4
    return {"small": SMALL * values, "large": 1 - SMALL * values}.get(scale, values)


def _with_zeros(values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    values = np.where(generator.random(values.shape) < 0.5, 0.0, values)
    if values.ndim and len(values) > 1:
        values[0] = 0.0
    return values


def integers(
    scale: str, shape: tuple[int, ...], generator: np.random.Generator, bounds: tuple[int, int]
) -> np.ndarray:
    """Return int64 values between bounds, both included.

    Args:
        scale: ``ties``: the two ends alone. ``constant``: all the same; a mask is all 1, so that
            nothing is masked. Otherwise evenly spread.
    """
    low, high = bounds
    if scale == "ties":
        return generator.choice(np.array([low, high], np.int64), shape)
    if scale == "constant":
        value = 1 if bounds == (0, 1) else generator.integers(low, high, endpoint=True)
        return np.full(shape, value, np.int64)
    return generator.integers(low, high, shape, dtype=np.int64, endpoint=True)


def booleans(scale: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    """Return fair coins; all true where ``scale`` is ``constant``."""
    coins = generator.random(shape) < 0.5
    return np.ones_like(coins) if scale == "constant" else coins
