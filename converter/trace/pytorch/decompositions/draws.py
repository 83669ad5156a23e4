"""Random numbers, all from ONNX's uniform and normal draws, fresh at each call."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten

FINEST = 1 << 24
"""A uniform float32 has so many values: integers of a wider range cannot be made of one."""


def uniform(x: Tensor, low: float = 0.0, high: float = 1.0, generator: Any = None) -> Tensor:
    return torch.rand_like(x) * (high - low) + low


def bernoulli(x: Tensor, p: Tensor, generator: Any = None) -> Tensor:
    p = p.to(torch.promote_types(p.dtype, torch.float32)).expand_as(x)
    return (torch.rand_like(p) < p).to(x.dtype)


def integers(x: Tensor, low: int, high: int | None, generator: Any = None) -> Tensor:
    if high is None:
        low, high = low, last(x.dtype) + 1
    if not isinstance(low, int) or not isinstance(high, int) or high - low > FINEST:
        return NotImplemented
    drawn = torch.rand_like(x, dtype=torch.float32) * (high - low)
    return drawn.floor().to(torch.int64).add(low).to(x.dtype)


def integers_below(x: Tensor, high: int, generator: Any = None) -> Tensor:
    return integers(x, 0, high)


def any_integers(x: Tensor, generator: Any = None) -> Tensor:
    return integers(x, 0, None)


def last(dtype: torch.dtype) -> int:
    """Return the largest value that ``random_()`` draws."""
    if dtype == torch.bool:
        return 1
    if dtype.is_floating_point:
        return {torch.float64: 1 << 53, torch.float32: 1 << 24, torch.float16: 1 << 11}.get(
            dtype, 1 << 8
        )
    return torch.iinfo(dtype).max


def randint(low: int, high: int, size: Any, *, dtype: Any = None, **_: Any) -> Tensor:
    like = torch.zeros(size, dtype=dtype or torch.int64)
    return integers(like, low, high)


def randint_below(high: int, size: Any, **options: Any) -> Tensor:
    return randint(0, high, size, **options)


def randint_like(x: Tensor, low: int, high: int, *, dtype: Any = None, **_: Any) -> Tensor:
    return integers(torch.zeros_like(x, dtype=dtype or x.dtype), low, high)


def randint_like_below(x: Tensor, high: int, **options: Any) -> Tensor:
    return randint_like(x, 0, high, **options)


def randperm(n: Any, *, dtype: Any = None, **_: Any) -> Tensor:
    return torch.rand(n).argsort().to(dtype or torch.int64)


def multinomial(
    p: Tensor, samples: int, replacement: bool = False, *, generator: Any = None
) -> Any:
    """Draw without replacement as the largest of the log-probabilities with Gumbel noise."""
    if p.dim() == 1:
        return multinomial_rows(p.unsqueeze(0), samples, replacement).squeeze(0)
    return multinomial_rows(p, samples, replacement)


def multinomial_rows(p: Tensor, samples: int, replacement: bool) -> Tensor:
    if samples == 1 or replacement:
        return aten.multinomial.default(p, samples, True)
    # 1 - u is never 0, where the logarithm has no value
    noise = -torch.log(-torch.log1p(-torch.rand_like(p)))
    return torch.topk(p.log() + noise, samples, dim=-1).indices


def multinomial_call(
    p: Tensor, samples: int, replacement: bool = False, *, generator: Any = None
) -> Any:
    if p.dim() == 2 and replacement:
        return NotImplemented
    return multinomial(p, samples, replacement)


def rrelu(
    x: Tensor,
    noise: Tensor,
    lower: float = 0.125,
    upper: float = 1 / 3,
    training: bool = False,
    generator: Any = None,
) -> tuple[Tensor, Tensor]:
    if not training:
        return torch.nn.functional.leaky_relu(x, (lower + upper) / 2), torch.zeros_like(noise)
    slope = torch.where(x <= 0, torch.rand_like(x) * (upper - lower) + lower, 1.0)
    return x * slope, slope


DECOMPOSITIONS = {
    aten.uniform.default: uniform,
    aten.bernoulli.Tensor: bernoulli,
    getattr(aten.random, "from"): integers,
    aten.random.to: integers_below,
    aten.random.default: any_integers,
    aten.randint.default: randint_below,
    aten.randint.low: randint,
    aten.randint_like.default: randint_like_below,
    aten.randint_like.low_dtype: randint_like,
    aten.randperm.default: randperm,
    aten.multinomial.default: multinomial_call,
    aten.rrelu_with_noise_functional.default: rrelu,
}
