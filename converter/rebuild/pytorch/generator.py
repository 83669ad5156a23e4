"""Handlers of the room `generator`: constants, ranges, random numbers."""

from __future__ import annotations

import torch

from converter.rebuild.pytorch.dtypes import from_numpy, to_framework
from converter.rebuild.pytorch.table import op


@op("ConstantOfShape", since=9, host=("input",))
def constant_of_shape(input, *, value=None, device):
    shape = tuple(input)
    if value is None:
        return torch.zeros(shape, device=device)
    return from_numpy(value).to(device).reshape(()).expand(shape).clone()


@op("Range", since=11, either=("start", "limit", "delta"))
def range_(start, limit, delta, *, stash_type=1, device):
    given = [x for x in (start, limit, delta) if isinstance(x, torch.Tensor)]
    if not given or torch.jit.is_tracing():
        dtype = given[0].dtype if given else None
        return torch.arange(start, limit, delta, dtype=dtype, device=device)
    wide = torch.float32 if given[0].dtype.itemsize == 2 else given[0].dtype
    start, limit, delta = (
        x.reshape(()).to(wide) if isinstance(x, torch.Tensor) else x for x in (start, limit, delta)
    )
    span = limit - start
    span = span.double() if isinstance(span, torch.Tensor) else span
    count = torch.ceil(torch.true_divide(span, delta)).clamp(min=0).long().item()
    return (start + torch.arange(count, device=device) * delta).to(given[0].dtype)


@op("EyeLike", since=9)
def eye_like(input, *, dtype=None, k=0):
    kind = input.dtype if dtype is None else to_framework(dtype)
    ones = torch.ones(input.shape, dtype=torch.int8, device=input.device)
    return torch.triu(torch.tril(ones, k), k).to(kind)


def _generator(seed, device):
    if seed is None:
        return None
    return torch.Generator(device).manual_seed(int(seed))


@op("RandomNormal", since=1)
def random_normal(*, shape, dtype=1, mean=0.0, scale=1.0, seed=None, device):
    noise = torch.randn(shape, generator=_generator(seed, device), device=device)
    return (mean + scale * noise).to(to_framework(dtype))


@op("RandomNormalLike", since=1)
def random_normal_like(input, *, dtype=None, mean=0.0, scale=1.0, seed=None):
    noise = torch.randn(input.shape, generator=_generator(seed, input.device), device=input.device)
    return (mean + scale * noise).to(input.dtype if dtype is None else to_framework(dtype))


@op("RandomUniform", since=1)
def random_uniform(*, shape, dtype=1, high=1.0, low=0.0, seed=None, device):
    noise = torch.rand(shape, generator=_generator(seed, device), device=device)
    return (low + (high - low) * noise).to(to_framework(dtype))


@op("RandomUniformLike", since=1)
def random_uniform_like(input, *, dtype=None, high=1.0, low=0.0, seed=None):
    noise = torch.rand(input.shape, generator=_generator(seed, input.device), device=input.device)
    return (low + (high - low) * noise).to(input.dtype if dtype is None else to_framework(dtype))


@op("Bernoulli", since=15)
def bernoulli(input, *, dtype=None, seed=None):
    noise = torch.rand(input.shape, generator=_generator(seed, input.device), device=input.device)
    return (noise < input).to(input.dtype if dtype is None else to_framework(dtype))


@op("Multinomial", since=7)
def multinomial(input, *, dtype=6, sample_size=1, seed=None):
    weights = torch.softmax(input.float(), -1)
    generator = _generator(seed, input.device)
    picked = torch.multinomial(weights, sample_size, True, generator=generator)
    return picked.to(to_framework(dtype))
