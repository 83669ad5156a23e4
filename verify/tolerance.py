"""What difference is legitimate where nobody measured the noise, and never in any case.

The source's noise is measured wherever it can be had as a graph, and decides (`verify.noise`,
`verify.judgement`). This is the table for the rest: for ``--tolerance fixed``, for a source that
cannot be traced, for dtypes narrower than float16.

The limit is on the largest absolute difference, relative to the largest value of the output: the
rounding of one element follows from the sums that it is made of, not from its own size, so an
element near zero may not be judged by itself. Per dtype it is about 170 times the unit roundoff,
which is what some ten thousand roundings of random sign add up to.
"""

from __future__ import annotations

from dataclasses import dataclass

from converter.errors import UsageError

RELATIVE = {
    "float64": 1e-9,
    "float32": 2e-5,
    "float16": 4e-3,
    "bfloat16": 3e-2,
    "float8e4m3fn": 0.15,
    "float8e4m3fnuz": 0.15,
    "float8e5m2": 0.3,
    "float8e5m2fnuz": 0.3,
    "float8e8m0": 0.5,
    "float4e2m1": 0.5,
    "complex64": 2e-5,
    "complex128": 1e-9,
}
"""Largest difference relative to the output's largest value, by dtype."""

CEILING = {"float64": 1e-7, "float32": 1e-3, "float16": 5e-2, "bfloat16": 3e-1}
"""What measured noise may raise a limit to, relative to the largest value around, by dtype."""

ZERO = {"float64": 2.3e-16, "float32": 1.2e-7, "float16": 1e-5, "bfloat16": 1e-5}
"""What rounding makes of zero where sums of ordinary numbers cancel, by dtype.

It counts only where the output's largest value is itself within eight times this; a softmax over
thousands of classes is small as well, and not by cancellation.
"""

NOISE_MULTIPLE = 4.0
"""Over fifteen architectures the largest error of a right target was up to 2.1 times the source's
own; source and target differ by the sum of both. Planted faults start at 7 times."""


@dataclass(frozen=True)
class Tolerance:
    """What the user asked for: measured or fixed limits, or ``atol + rtol * |a|`` per element."""

    rtol: float | None = None
    atol: float | None = None
    fixed: bool = False

    @property
    def measured(self) -> bool:
        """Whether the noise decides, where it is known."""
        return self.automatic and not self.fixed

    @property
    def automatic(self) -> bool:
        """Whether the limits come from the noise or the table, not from the user."""
        return self.rtol is None and self.atol is None


@dataclass(frozen=True)
class Limit:
    """An element of b passes if it is within ``absolute + relative * |a|`` of a's.

    Attributes:
        absolute: in units of the output.
        relative: per element.
        reason: where the limit comes from, in words.
        exact: elements must be equal.
    """

    absolute: float = 0.0
    relative: float = 0.0
    reason: str = ""
    exact: bool = False


def tolerance(choice: str = "auto", rtol: float | None = None, atol: float | None = None):
    """Return what the user asked for.

    Raises:
        UsageError: ``choice`` is unknown, or a number is negative or not a number.
    """
    if choice not in ("auto", "fixed"):
        raise UsageError(
            f"unknown tolerance {choice!r}",
            hint="Use auto or fixed, or give numbers: --rtol and --atol.",
        )
    for name, value in (("rtol", rtol), ("atol", atol)):
        if value is not None and not value >= 0:
            raise UsageError(f"{name} is {value}, it must be 0 or more")
    return Tolerance(rtol, atol, choice == "fixed")


def is_exact(dtype: str) -> bool:
    """Tell whether values of a dtype must be equal: integers, booleans, strings."""
    return dtype not in RELATIVE


def limit(dtype: str, peak: float, wanted: Tolerance, noise: float | None = None) -> Limit:
    """Return the limit for one output.

    Args:
        dtype: dtype of the output.
        peak: its largest finite absolute value in a.
        wanted: what the user asked for; numbers override everything else.
        noise: the source's own largest error relative to ``peak``, where it was measured.
    """
    if is_exact(dtype):
        return Limit(reason=f"{dtype} must be equal", exact=True)
    if not wanted.automatic:
        rtol, atol = wanted.rtol or 0.0, wanted.atol or 0.0
        return Limit(atol, rtol, f"atol {atol:g} + rtol {rtol:g}")
    relative, reason = RELATIVE[dtype], f"{RELATIVE[dtype]:g} of the largest value ({dtype})"
    if noise is not None:
        allowed = min(NOISE_MULTIPLE * noise, CEILING.get(dtype, relative))
        if allowed > relative:
            relative = allowed
            reason = f"{relative:.2g} of the largest value: the source's own noise is {noise:.2g}"
    if peak <= 8 * ZERO.get(dtype, 0.0):
        return Limit(ZERO.get(dtype, 0.0), reason=f"the output is zero up to rounding ({dtype})")
    return Limit(relative * peak, reason=reason)
