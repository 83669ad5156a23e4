"""What the order of a long sum costs, in PyTorch: kernels are free in it.

Each addition is off by a number that is uniform over half a unit in the last place of the partial
sum so far. Of ``n`` terms ``t`` that are added up on ``L`` lanes, the variance is so

    (n sum(t^2) / 2L  +  n sum(t)^2 / 3L^2) / 12

square units of 1: the first part for terms of random sign, the second for terms of one sign. Equal
terms are off by the same amount over and over: ``(n sum(t) / 2.8 L)^2 / 12``. Measured: ONNX
Runtime's sum of a million numbers is 31 to 53 units off by this, where PyTorch's and NumPy's, which
add in pairs, are one; its mean of 768 equal numbers is seven.
"""

from __future__ import annotations

import torch

LONG, LANES = 256, 8
"""Terms from which on the order counts, and partial sums that a kernel adds up side by side."""

LONG_PRODUCT, BLOCK = 8192, 256
"""The same for matrix products, which add up blocks."""

LONG_SUMS = frozenset(["sum", "mean", "mm", "addmm", "bmm", "baddbmm"])

NORMALISATIONS = frozenset(["native_layer_norm", "native_group_norm"])
"""They subtract a mean that they sum up, and enlarge what is left."""

CONSTANT = 1e-6
"""Variance relative to the square of the mean below which numbers count as equal."""


def order_of_sum(
    name: str, args: tuple, result: torch.Tensor, generator: torch.Generator
) -> torch.Tensor | float:
    """Return what another order of a sum or of a matrix product adds to it, at random.

    Args:
        name: the operator, one of `LONG_SUMS`.
        args: its arguments.
        result: its result, without other orders.
    """
    scale = 1
    if name in ("sum", "mean"):
        terms, lanes, value = args[0].numel() // max(result.numel(), 1), LANES, args[0]
        if terms < LONG or not value.is_floating_point():
            return 0.0
        dims = args[1] if len(args) > 1 and args[1] else list(range(value.dim()))
        squares = value.double().square().sum(dims).reshape(result.shape)
        scale = terms if name == "mean" else 1
    else:
        one, other = [arg for arg in args if isinstance(arg, torch.Tensor)][-2:]
        terms, lanes = one.shape[-1], BLOCK
        if terms < LONG_PRODUCT:
            return 0.0
        squares = one.double().square() @ other.double().square()
    total = result.double() * scale
    equal = squares * terms - total.square() <= CONSTANT * total.square()
    variance = squares * terms / (2 * lanes) + total.square() * terms / (3 * lanes**2)
    variance = torch.where(equal, total.square() * (terms / (2.8 * lanes)) ** 2, variance)
    return _drawn((variance / 12).sqrt() / scale, result, generator)


def order_of_mean(
    name: str, args: tuple, result: tuple, generator: torch.Generator
) -> torch.Tensor | float:
    """Return what another order of the mean adds to a normalised result, at random.

    Args:
        name: the operator, one of `NORMALISATIONS`.
        args: its arguments.
        result: normalised numbers, mean, and reciprocal of the standard deviation.
    """
    value, (out, mean, over) = args[0], result[:3]
    if not value.numel() or not mean.numel():
        return 0.0
    terms = value.numel() // mean.numel()
    average, spread = mean.double(), over.double()
    equal = 1 / spread.square() <= CONSTANT * average.square() + args[-1]
    steps = torch.where(equal, terms / (2.8 * LANES), (terms / (3 * LANES**2)) ** 0.5) / 12**0.5
    shift = _drawn(average.abs() * steps.clamp(min=0.5) * spread, mean, generator)
    weight = args[2] if name == "native_layer_norm" else args[1]
    if name == "native_group_norm":
        channels, groups = args[4], args[6]
        rest = (1,) * (value.dim() - 2)
        shift = shift.repeat_interleave(channels // groups, 1).reshape(-1, channels, *rest)
        weight = None if weight is None else weight.reshape(1, channels, *rest)
    return (shift if weight is None else shift * weight).to(out.dtype)


def _drawn(deviation: torch.Tensor, like: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return normal numbers, given their deviation in units in the last place of 1."""
    unit = torch.finfo(torch.promote_types(like.dtype, torch.float32)).eps
    draws = torch.randn(deviation.shape, generator=generator, dtype=torch.float64)
    moved = draws.to(deviation.device) * deviation * unit
    return torch.where(moved.isfinite(), moved, 0.0).reshape(like.shape).to(like.dtype)
