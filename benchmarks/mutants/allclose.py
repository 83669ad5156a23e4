"""What `numpy.allclose` says of the same outputs, at tolerances in common use."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from verify.sides import Outputs

TOLERANCES = {
    "rtol 1e-3, atol 1e-5": (1e-3, 1e-5),
    "rtol 1e-2, atol 1e-4": (1e-2, 1e-4),
    "atol 1e-1": (0.0, 1e-1),
}
"""``(rtol, atol)`` by name."""


def tells(
    rtol: float, atol: float, a: Mapping[str, Outputs | None], b: Mapping[str, Outputs | None]
) -> bool:
    """Whether ``allclose`` finds any output of any run different.

    A run that fails, an output that is missing and one of another shape count as found.

    Args:
        a: the source's outputs, run by run; ``None`` for a run that the source itself refused.
        b: the target's.
    """
    for run, ours in a.items():
        theirs = b.get(run)
        if ours is None:
            continue
        if theirs is None or set(ours) != set(theirs):
            return True
        for name, value in ours.items():
            other = theirs[name]
            if value.shape != other.shape:
                return True
            if not np.allclose(_wide(other), _wide(value), rtol, atol, equal_nan=True):
                return True
    return False


def _wide(value: np.ndarray) -> np.ndarray:
    return value.astype(np.float64)


def same_bits(a: Mapping[str, Outputs | None], b: Mapping[str, Outputs | None]) -> bool:
    """Whether every output of every run is equal, NaN to NaN."""
    for run, ours in a.items():
        theirs = b.get(run)
        if ours is None or theirs is None:
            if ours is not theirs:
                return False
            continue
        if set(ours) != set(theirs):
            return False
        for name, value in ours.items():
            other = theirs[name]
            if value.dtype != other.dtype or not np.array_equal(value, other, equal_nan=True):
                return False
    return True
