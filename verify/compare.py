"""One output of one run: how far b is from a, and whether that is legitimate.

Where the noise was measured, b is judged against the exact result (`verify.judgement`); the
differences that are reported beside are those of b from a, all the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from verify.arrays import dtype_name
from verify.decisions import DecisionNoise
from verify.judgement import Judgement, judge, trusted
from verify.noise import OutputNoise, unit_of
from verify.permutations import explain
from verify.report.result import HISTOGRAM_EDGES, OutputComparison
from verify.tolerance import Limit, Tolerance, is_exact, limit

CHUNK = 1 << 21
"""Elements compared at a time: float64 copies of a large output would not fit beside it."""


def compare(
    name: str,
    a: np.ndarray,
    b: np.ndarray,
    tolerance: Tolerance | None = None,
    noise: float | OutputNoise | DecisionNoise | None = None,
) -> OutputComparison:
    """Compare an output of b with that of a.

    Shapes and dtypes must be the same, NaN and infinities must be at the same places, integers,
    booleans and strings must be equal; other values must be as near to the exact result as the
    noise allows, or within the limit of the table (`verify.tolerance`) where it was not measured
    or where numbers were given. A permutation of axes that would match is named in the reason,
    and fails all the same.

    Args:
        noise: noise of this output on these inputs (`verify.noise.Reference`); or a number: the
            source's largest error relative to its largest value, for the table's limit.
    """
    dtype, measured = dtype_name(a), None
    if isinstance(noise, DecisionNoise):
        decided = noise if (tolerance or Tolerance()).measured else None
        item = compare(name, a, b, tolerance)
        return item if item.passed or decided is None else _with_ties(item, a, b, decided)
    if isinstance(noise, OutputNoise):
        measured, noise = noise, noise.relative
        if not (tolerance or Tolerance()).measured or a.shape != measured.exact.shape:
            measured = None
    known = None if measured is not None else noise
    if a.shape != b.shape:
        allowed = limit(dtype, _peak(a), tolerance or Tolerance(), known)
        reason = f"shape {_shape(b)} instead of {_shape(a)}"
        if hint := explain(a, b, lambda x, y: _close(x, y, allowed)):
            reason += f"; it {hint}"
        return replace(failed(name, a, reason), other_shape=b.shape)
    other = dtype_name(b)
    if (dtype == "string") != (other == "string"):
        return failed(name, a, f"dtype {other} instead of {dtype}")
    wanted = tolerance or Tolerance()
    peak = _peak(a)
    allowed = limit(dtype, peak, wanted, known if wanted.measured else None)
    sums = _summed(a, b, allowed, _edges(dtype, peak), unit_of(peak))
    if measured is not None and dtype == other and trusted(measured):
        return _by_noise(name, a, b, sums, allowed, measured)
    reason = _reason(a, b, sums, allowed, other)
    return _result(name, a, sums, allowed, reason, noise)


def _result(
    name: str, a: np.ndarray, sums: _Sums, allowed: Limit, reason: str, noise: float | None
) -> OutputComparison:
    return OutputComparison(
        name=name,
        dtype=dtype_name(a),
        shape=a.shape,
        max_abs=sums.max_abs,
        mean_abs=sums.mean_abs,
        max_rel=_ratio(sums.max_abs, sums.peak),
        cosine=sums.cosine,
        snr_db=sums.snr_db,
        mismatches=sums.beyond + sums.not_finite,
        count=a.size,
        limit=allowed.absolute,
        limit_reason=allowed.reason,
        passed=not reason,
        reason=reason,
        noise=noise,
        rms=sums.unit * math.sqrt(sums.error_square / sums.count) if sums.count else 0.0,
        histogram=tuple(map(int, sums.histogram)),
        compared=sums.count,
    )


def _by_noise(
    name: str, a: np.ndarray, b: np.ndarray, sums: _Sums, allowed: Limit, noise: OutputNoise
) -> OutputComparison:
    """Judge b against the exact result."""
    usable = np.isfinite(a) & np.isfinite(b)
    found = judge(b, noise, usable)
    reason = _not_finite(a, sums)
    brink = _brink(a, noise)
    if reason and brink.any():
        overflow = np.count_nonzero(brink & ~np.isfinite(a))
        reason += f"; a overflows {noise.dtype}: in {overflow} of them the exact result is finite"
    if not reason:
        reason = _beyond_float64(a, b, usable & ~np.isfinite(noise.exact), allowed)
    if not reason and found.reason:
        reason = found.reason
        if hint := explain(a, b, lambda x, y: _close(x, y, allowed)):
            reason += f"; it {hint}"
    result = _result(name, a, sums, allowed, reason, noise.relative)
    return replace(
        result,
        mismatches=found.beyond + sums.not_finite,
        limit=found.limit,
        limit_reason=_sentence(found, noise),
        error=found.error,
        rms=found.rms,
        rms_limit=found.rms_limit,
        noise_rms=noise.source_rms,
        ties=found.ties,
        noise_max=noise.source_max,
        overflow=_overflow(a, b, noise, brink) if reason or not found.passed else 0,
    )


def _brink(a: np.ndarray, noise: OutputNoise) -> np.ndarray:
    """Return where a, or a run of it that rounds more, is not finite and the exact result is."""
    overflows = ~np.isfinite(a)
    for far in noise.far_results:
        overflows |= ~np.isfinite(far)
    return overflows & np.isfinite(noise.exact)


def _overflow(a: np.ndarray, b: np.ndarray, noise: OutputNoise, brink: np.ndarray) -> int:
    """Return how many elements overflow in a, or nearly so; 0 where another one is wrong."""
    finite = np.isfinite(a) & np.isfinite(b)
    with np.errstate(invalid="ignore"):
        same = finite | (np.isnan(a) & np.isnan(b)) | (a == b)
    if (~same & ~brink).any() or not judge(b, noise, finite & ~brink).passed:
        return 0
    return int(np.count_nonzero(brink))


def _with_ties(
    item: OutputComparison, a: np.ndarray, b: np.ndarray, noise: DecisionNoise
) -> OutputComparison:
    """Pass what differs only where the reference itself is undecided."""
    if not is_exact(item.dtype) or dtype_name(b) != item.dtype:
        return item
    if a.shape != b.shape:
        if a.ndim == b.ndim and noise.came_out(b):
            count = abs(a.size - b.size)
            return replace(item, passed=True, reason="", ties=count, limit_reason=TIE,
                           compared=min(a.size, b.size))  # fmt: skip
        return item
    ties = noise.ties(a, b)
    wrong = (a != b) & ~ties
    count = int(np.count_nonzero(ties))
    if not wrong.any():
        return replace(item, passed=True, reason="", ties=count, mismatches=0, limit_reason=TIE)
    reason = item.reason + (f" ({count} of them are ties)" if count else "")
    return replace(item, ties=count, mismatches=int(np.count_nonzero(wrong)), reason=reason)


TIE = "must be equal, but where the numbers behind it are as near to each other as their noise"


def _sentence(found: Judgement, noise: OutputNoise) -> str:
    allowed = f"{found.limit:.2g} is allowed there"
    if found.ceiling:
        allowed += f", the most for {noise.dtype}"
    note = f"; the exact result was {noise.case.note}" if noise.case.note else ""
    return (
        f"differs from the exact result by {found.error:.2g} where it comes closest to its limit, "
        f"{allowed}; the source itself differs by up to {noise.source_max:.2g}{note}"
    )


def _beyond_float64(a: np.ndarray, b: np.ndarray, where: np.ndarray, allowed: Limit) -> str:
    """Compare with a where the exact result is not finite and both sides are."""
    if not where.any():
        return ""
    sums = _summed(a[where], b[where], allowed)
    return f"{sums.beyond} elements differ where float64 overflows" if sums.beyond else ""


def failed(name: str, a: np.ndarray, reason: str) -> OutputComparison:
    """Return the comparison of an output that has nothing to be compared with."""
    nothing = math.nan
    return OutputComparison(
        name, dtype_name(a), a.shape, nothing, nothing, nothing, nothing, nothing,
        a.size, a.size, passed=False, reason=reason,
    )  # fmt: skip


def drawn(name: str, a: np.ndarray, b: np.ndarray) -> OutputComparison:
    """Compare what can be compared of one draw of a random output: shape and dtype."""
    dtype, other = dtype_name(a), dtype_name(b)
    if a.shape != b.shape:
        reason = f"shape {_shape(b)} instead of {_shape(a)}"
        return replace(failed(name, a, reason), other_shape=b.shape, random=True)
    if dtype != other:
        return replace(failed(name, a, f"dtype {other} instead of {dtype}"), random=True)
    return OutputComparison(name, dtype, a.shape, count=a.size, random=True)


@dataclass
class _Sums:
    """What is gathered over all chunks; sums over elements that are finite on both sides.

    Squares are in units of ``unit`` (`verify.noise.unit_of`).
    """

    count: int = 0
    max_abs: float = 0.0
    sum_abs: float = 0.0
    peak: float = 0.0
    dot: float = 0.0
    a_square: float = 0.0
    b_square: float = 0.0
    error_square: float = 0.0
    beyond: int = 0
    not_finite: int = 0
    nan_in_b: int = 0
    nan_in_a: int = 0
    worst: tuple[int, float, float] | None = None
    unit: float = 1.0
    edges: np.ndarray | None = None
    histogram: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def mean_abs(self) -> float:
        return self.sum_abs / self.count if self.count else 0.0

    @property
    def cosine(self) -> float:
        size = math.sqrt(self.a_square) * math.sqrt(self.b_square)
        if size == 0:
            return 1.0 if self.a_square == self.b_square else 0.0
        return max(-1.0, min(1.0, self.dot / size))

    @property
    def snr_db(self) -> float:
        if self.error_square == 0:
            return math.inf
        if self.a_square == 0:
            return -math.inf
        return 10 * math.log10(self.a_square / self.error_square)


def _edges(dtype: str, peak: float) -> np.ndarray | None:
    """Return the upper edges of the histogram's bins, in units of the output."""
    if dtype == "string":
        return None
    scale = peak if peak > 0 else 1.0
    return np.array((0.0, *HISTOGRAM_EDGES)) * scale


def _summed(
    a: np.ndarray, b: np.ndarray, allowed: Limit, edges: np.ndarray | None = None, unit: float = 1.0
) -> _Sums:
    sums = _Sums(edges=edges, unit=unit)
    if edges is not None:
        sums.histogram = np.zeros(len(edges) + 1, np.int64)
    start = 0
    for x, y in _chunks(a, b):
        if x.dtype == object:
            _add_texts(sums, x, y)
        else:
            _add(sums, x, y, allowed, start)
        start += x.size
    return sums


def _chunks(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    flat_a, flat_b = a.reshape(-1), b.reshape(-1)
    for start in range(0, a.size, CHUNK):
        yield flat_a[start : start + CHUNK], flat_b[start : start + CHUNK]


def _add_texts(sums: _Sums, x: np.ndarray, y: np.ndarray) -> None:
    different = sum(_text(one) != _text(other) for one, other in zip(x, y, strict=True))
    sums.count += x.size
    sums.beyond += different
    sums.max_abs = max(sums.max_abs, float(different > 0))
    sums.sum_abs += different
    sums.error_square += different
    sums.a_square += x.size
    sums.b_square += x.size
    sums.dot += x.size - different
    sums.peak = 1.0


def _text(item: object) -> str:
    return item.decode("utf-8", "surrogateescape") if isinstance(item, bytes) else str(item)


def _add(sums: _Sums, x: np.ndarray, y: np.ndarray, allowed: Limit, start: int) -> None:
    equal_integers = x == y if allowed.exact else None
    x, y = _wide(x), _wide(y)
    finite = np.isfinite(x) & np.isfinite(y)
    if not finite.all():
        with np.errstate(invalid="ignore"):
            same = finite | (np.isnan(x) & np.isnan(y)) | (x == y)
        sums.not_finite += int(np.count_nonzero(~same))
        sums.nan_in_a += int(np.count_nonzero(np.isnan(x)))
        sums.nan_in_b += int(np.count_nonzero(np.isnan(y)))
        x, y = np.where(finite, x, 0), np.where(finite, y, 0)
    error = np.abs(x - y)
    size = np.abs(x)
    if sums.edges is not None:
        bins = np.searchsorted(sums.edges[1:], error, side="right") + (error > 0)
        sums.histogram += np.bincount(bins[finite], minlength=len(sums.histogram))
    sums.count += int(np.count_nonzero(finite))
    if equal_integers is None:
        beyond = error > allowed.absolute + allowed.relative * size
    else:
        beyond = ~equal_integers
    sums.beyond += int(np.count_nonzero(beyond))
    index = int(np.argmax(error)) if error.size else 0
    if error.size and (sums.worst is None or error[index] > sums.max_abs):
        sums.worst = (start + index, x[index], y[index])
        sums.max_abs = float(error[index])
    sums.sum_abs += float(error.sum())
    sums.peak = max(sums.peak, float(size.max(initial=0)))
    if sums.unit != 1.0:
        x, y, error = x / sums.unit, y / sums.unit, error / sums.unit
    sums.dot += float(np.vdot(x, y).real)
    sums.a_square += float(np.vdot(x, x).real)
    sums.b_square += float(np.vdot(y, y).real)
    sums.error_square += float(np.vdot(error, error).real)


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def _peak(a: np.ndarray) -> float:
    if is_exact(dtype_name(a)):
        return 0.0
    peak = 0.0
    for x, _ in _chunks(a, a):
        size = np.abs(_wide(x))
        peak = max(peak, float(size.max(initial=0, where=np.isfinite(size))))
    return peak


def _ratio(error: float, peak: float) -> float:
    if peak > 0:
        return error / peak
    return 0.0 if error == 0 else math.inf


def _close(x: np.ndarray, y: np.ndarray, allowed: Limit) -> bool:
    if dtype_name(x) == "string" or dtype_name(y) == "string":
        return False
    sums = _summed(x, y, allowed)
    return sums.beyond + sums.not_finite == 0


def _reason(a: np.ndarray, b: np.ndarray, sums: _Sums, allowed: Limit, other: str) -> str:
    """Say in one line what is wrong; nothing if nothing is."""
    dtype = dtype_name(a)
    if other != dtype:
        return f"dtype {other} instead of {dtype}"
    if sums.not_finite:
        return _not_finite(a, sums)
    if not sums.beyond:
        return ""
    text = f"{sums.beyond} of {a.size} elements differ"
    if not allowed.exact:
        text += f" by more than {allowed.absolute:.3g}" if not allowed.relative else ""
        text += f" ({allowed.reason})"
    if sums.worst is not None:
        index = tuple(map(int, np.unravel_index(sums.worst[0], a.shape)))
        text += f"; most at {list(index)}: {sums.worst[2]:.6g} instead of {sums.worst[1]:.6g}"
    if hint := explain(a, b, lambda x, y: _close(x, y, allowed)):
        text += f"; it {hint}"
    return text


def _not_finite(a: np.ndarray, sums: _Sums) -> str:
    if not sums.not_finite:
        return ""
    where = f"{sums.not_finite} of {a.size} elements"
    if sums.nan_in_a != sums.nan_in_b:
        return f"{sums.nan_in_b} NaN instead of {sums.nan_in_a} ({where} differ)"
    return f"NaN or infinity in other places or of the other sign: {where}"


def _shape(x: np.ndarray) -> str:
    return "[" + ",".join(map(str, x.shape)) + "]"
