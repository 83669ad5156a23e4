"""Special functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

aten = torch.ops.aten

DEGREE = 28
"""Of the polynomial that stands for erfcx: double precision needs so many terms."""

ALL_INFINITE = 30.0
"""Left of minus this the result is past double precision's range."""


def _terms() -> tuple[float, ...]:
    """Return Chebyshev coefficients of ``erfcx(x) / t`` on ``t = 2 / (2 + x)`` in 0 to 1."""
    nodes = np.cos(np.pi * (np.arange(4 * DEGREE) + 0.5) / (4 * DEGREE))
    t = (nodes + 1) / 2
    x = torch.from_numpy(2 / t - 2)
    values = torch.special.erfcx(x).numpy() / t
    return tuple(np.polynomial.chebyshev.chebfit(nodes, values, DEGREE).tolist())


TERMS = _terms()


def erfcx(x: Tensor) -> Tensor:
    """Return ``exp(x * x) * erfc(x)`` without an infinity times zero.

    Right of 0 a polynomial (Clenshaw's recurrence); left of it ``2 * exp(x * x) - erfcx(-x)``,
    with the square split so that its rounding does not grow under the exponential. In float64: in
    float32 the recurrence loses five bits.
    """
    wide = x.to(torch.float64)
    t = 2 / (2 + wide.abs())
    place = 4 * t - 2
    one = two = torch.zeros_like(t)
    for term in TERMS[:0:-1]:
        one, two = place * one - two + term, one
    right = t * (place / 2 * one - two + TERMS[0])
    near = wide.clamp(-ALL_INFINITE, 0)
    coarse = torch.round(near * 16) / 16
    square = torch.exp(coarse * coarse) * torch.exp((near - coarse) * (near + coarse))
    result = torch.where(wide < 0, 2 * square - right, right)
    return result.to(x.dtype if x.dtype.is_floating_point else torch.get_default_dtype())


def log_ndtr(x: Tensor) -> Tensor:
    """Return the logarithm of the normal distribution, far left too."""
    if not x.dtype.is_floating_point:
        x = x.to(torch.get_default_dtype())
    t = x * 2**-0.5
    far = torch.log(erfcx(-t.clamp(max=0)) / 2) - t * t
    near = torch.log1p(-torch.erfc(t.clamp(min=-1)) / 2)
    return torch.where(x < -1, far, near)


def signbit(x: Tensor) -> Tensor:
    """Return which numbers have the sign; minus zero has it."""
    if not x.dtype.is_floating_point:
        return x.lt(0)
    return x.lt(0) | (x.eq(0) & x.reciprocal().lt(0))


def copysign(x: Tensor, sign: Tensor) -> Tensor:
    dtype = torch.result_type(x, sign)
    dtype = dtype if dtype.is_floating_point else torch.get_default_dtype()
    size = x.to(dtype).abs()
    return torch.where(signbit(sign), -size, size)


def copysign_number(x: Tensor, sign: Any) -> Tensor:
    dtype = x.dtype if x.dtype.is_floating_point else torch.get_default_dtype()
    size = x.to(dtype).abs()
    return -size if np.signbit(float(sign)) else size


LANCZOS = (
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313,
    -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6,
    1.5056327351493116e-7,
)  # fmt: skip
"""Lanczos' series for g = 7, as in Godfrey's table: some 15 digits."""


def lgamma(x: Tensor) -> Tensor:
    """Return the logarithm of the absolute value of the gamma function, in float64 inside.

    Lanczos' series right of 1/2; left of it the reflection, which is
    ``log(pi / |sin(pi x)|) - lgamma(1 - x)``.
    """
    dtype = x.dtype if x.dtype.is_floating_point else torch.get_default_dtype()
    wide = x.to(torch.float64)
    left = wide < 0.5
    right = torch.where(left, 1 - wide, wide) - 1
    series: Any = LANCZOS[0]
    for number, term in enumerate(LANCZOS[1:], 1):
        series = series + term / (right + number)
    base = right + 7.5
    value = (right + 0.5) * (torch.log(base) - 1) - 7 + torch.log(series) + HALF_LOG_TAU
    value = torch.where(right.isinf(), math.inf, value)
    turn = wide - torch.round(wide)
    reflected = LOG_PI - torch.log(torch.sin(math.pi * turn).abs()) - value
    pole = (wide <= 0) & (turn == 0) | wide.isinf()
    return torch.where(pole, math.inf, torch.where(left, reflected, value)).to(dtype)


HALF_LOG_TAU = math.log(2 * math.pi) / 2
LOG_PI = math.log(math.pi)


DECOMPOSITIONS = {
    aten.lgamma.default: lgamma,
    aten.special_erfcx.default: erfcx,
    aten.special_log_ndtr.default: log_ndtr,
    aten.signbit.default: signbit,
    aten.copysign.Tensor: copysign,
    aten.copysign.Scalar: copysign_number,
}
