"""Which differences of gradients, statistics and losses are legitimate, and what explains others.

A gradient in the model's own precision may differ from the other side's by a small multiple of its
own distance from float64, as outputs may (`verify.tolerance`); in float64 by next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from verify.report.training import GradientComparison, LossCurve
from verify.tolerance import NOISE_MULTIPLE, RELATIVE

CEILING = 1e-2
"""Relative to a gradient's largest element: what noise may raise a limit to. A unit that is at the
kink of a ReLU passes the gradient on one side and not on the other."""

ROUNDING = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
CANCELLED = 16.0
"""Units of rounding, of the largest gradient of all, below which a gradient is zero: what cancels
(the bias before a normalisation) leaves that behind."""

CONSTANTS = 1e-5
"""What constants that are rounded to float32 on one side alone change of a gradient at most."""

CURVE = {"float64": 1e-8, "float32": 1e-3, "float16": 5e-2, "bfloat16": 1e-1}
"""Largest difference of losses, relative to the largest loss; each step adds the noise of one
gradient, and Adam's first steps are its sign."""

Arrays = Mapping[str, np.ndarray]


def largest(arrays: Arrays) -> float:
    """Return the largest finite absolute value of all."""
    return max((_peak(array) for array in arrays.values()), default=0.0)


def gradients(
    kind: str, dtype: str, a: Arrays, b: Arrays, exact: Arrays | None = None, overall: float = 0.0
) -> list[GradientComparison]:
    """Compare arrays of the same names.

    Args:
        kind: ``"parameter"``, ``"input"`` or ``"statistic"``.
        dtype: what they were computed in.
        exact: a's in float64, where ``dtype`` is less.
        overall: the largest gradient of all, against which cancellation is measured.
    """
    noises = {
        name: _noise(a[name], exact[name]) for name in a
        if exact is not None and name in exact and exact[name].shape == a[name].shape
    }  # fmt: skip
    usual = float(np.median(list(noises.values()))) if noises else 0.0
    rows = []
    for name, array in a.items():
        noise = max(usual, noises.get(name, 0.0))
        rows.append(_row(name, kind, dtype, array, b[name], noise, overall))
    return rows


def _row(
    name: str, kind: str, dtype: str, a: np.ndarray, b: np.ndarray, noise: float, overall: float
) -> GradientComparison:
    if a.shape != b.shape:
        reason = f"shape {list(b.shape)} instead of {list(a.shape)}"
        return GradientComparison(name, kind, np.nan, np.nan, 0.0, False, reason, dtype)
    x, y = a.astype(np.float64), b.astype(np.float64)
    peak, error = _peak(x), _largest_difference(x, y)
    relative = RELATIVE.get(dtype, 2e-5)
    if dtype != "float64":
        relative = max(relative, min(NOISE_MULTIPLE * noise, CEILING))
    floor = CANCELLED * ROUNDING.get(dtype, 2.0**-23) * overall
    allowed = max(relative * peak, floor)
    passed = error <= allowed
    reason = "" if passed else _reason(x, y, error, allowed)
    share = error / peak if peak else (0.0 if passed else np.inf)
    limit = allowed / peak if peak else 0.0
    return GradientComparison(name, kind, error, share, limit, passed, reason, dtype, peak)


def _peak(x: np.ndarray) -> float:
    size = np.abs(np.asarray(x, np.float64))
    return float(np.max(size, initial=0.0, where=np.isfinite(size)))


def _noise(a: np.ndarray, exact: np.ndarray) -> float:
    peak = _peak(exact)
    return _largest_difference(a.astype(np.float64), exact) / peak if peak else 0.0


def _largest_difference(x: np.ndarray, y: np.ndarray) -> float:
    same = (x == y) | (np.isnan(x) & np.isnan(y))
    error = np.where(same, 0.0, np.abs(x - y))
    return float(np.max(np.nan_to_num(error, nan=np.inf), initial=0.0))


def _reason(x: np.ndarray, y: np.ndarray, error: float, allowed: float) -> str:
    count = int(np.count_nonzero(~(np.abs(x - y) <= allowed)))
    text = f"{count} of {x.size} elements differ by more than {allowed:.2g}, most by {error:.2g}"
    if not np.any(y):
        return f"{text}; b's are all zero: the parameter is frozen, or the way to it is cut"
    if not np.any(x):
        return f"{text}; a's are all zero: the parameter is frozen, or the way to it is cut"
    ratio = float(np.vdot(x, y) / np.vdot(x, x))
    if np.isfinite(ratio) and np.max(np.abs(y - ratio * x)) <= max(allowed, 1e-4 * _peak(y)):
        text += f"; b's are {ratio:.4g} times a's"
    return text


def explained_by_constants(
    rows: list[GradientComparison], lines: list[LossCurve], overall: float
) -> bool:
    """Tell whether all that differs in float64 could come of constants rounded to float32.

    Args:
        overall: the largest gradient of all.
    """
    off = [row for row in rows if not row.passed]
    near = all(row.max_abs <= CONSTANTS * max(row.scale, 1e-2 * overall) for row in off)
    for line in (line for line in lines if not line.passed):
        error = _largest_difference(np.array(line.a), np.array(line.b))
        near = near and error <= CONSTANTS * _peak(np.array(line.a))
    return near and bool(off or lines)


def curves(
    dtype: str, a: Mapping[str, list[float]], b: Mapping[str, list[float]],
    exact: Mapping[str, list[float]],
) -> list[LossCurve]:  # fmt: skip
    """Compare loss curves of the same optimizers.

    Args:
        exact: a's in float64, where ``dtype`` is less.
    """
    result = []
    for name in (name for name in a if name in b):
        one, two = np.array(a[name]), np.array(b[name])
        peak = _peak(one)
        limit = CURVE.get(dtype, 1e-3)
        if name in exact and peak:
            noise = _largest_difference(one, np.array(exact[name])) / peak
            limit = max(limit, min(NOISE_MULTIPLE * noise, CEILING))
        error = _largest_difference(one, two)
        passed = bool(np.isfinite(one).all()) and error <= limit * peak
        result.append(LossCurve(name, dtype, tuple(one), tuple(two), limit, passed))
    return result


def statistics_reason(before: np.ndarray, a: np.ndarray, b: np.ndarray) -> str:
    """Say which convention makes running statistics differ, ``""`` if none explains it.

    PyTorch's momentum is the share of the batch, Keras's and ONNX's that of the past. PyTorch
    keeps the batch's unbiased variance (divided by n - 1), Keras the biased one (by n).
    """
    before, a, b = (np.asarray(x, np.float64).reshape(-1) for x in (before, a, b))
    moved_a, moved_b = a - before, b - before
    if np.max(np.abs(moved_a)) == 0 or np.max(np.abs(moved_b)) == 0:
        which = "a" if np.max(np.abs(moved_a)) == 0 else "b"
        return f"{which} does not move its running statistics"
    if a.size > 3:
        # a = (1 - m) before + m v n / (n - 1) and b = (1 - m) before + m v give
        # a = n (a - b) + (1 - m) before, whichever of the two is the unbiased one. Another momentum
        # would give that with (1 - m) = 1.
        for one, two, who, other in ((a, b, "a", "b"), (b, a, "b", "a")):
            columns = np.stack([one - two, before], 1)
            solution, *_ = np.linalg.lstsq(columns, one, rcond=None)
            count, kept = solution
            fits = np.max(np.abs(columns @ solution - one)) <= 1e-3 * np.max(np.abs(one - before))
            if fits and count > 1.5 and 0 <= kept < 0.9999:
                return (
                    f"{who} keeps the unbiased variance of the batch (divided by n - 1), {other} "
                    f"the biased one (by n = {count:.0f}), as PyTorch and Keras do"
                )
    ratio = float(np.vdot(moved_a, moved_b) / np.vdot(moved_a, moved_a))
    slack = 1e-4 * np.max(np.abs(moved_b))
    if np.max(np.abs(moved_b - ratio * moved_a)) <= slack and abs(ratio - 1) > 1e-4:
        return (
            f"b moves {ratio:.4g} times as far as a: another momentum (PyTorch's 0.1 is Keras's "
            "and ONNX's 0.9)"
        )
    return ""
