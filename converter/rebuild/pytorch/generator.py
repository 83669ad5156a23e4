"""Handlers of the room `generator`: constants, ranges, random numbers."""

from __future__ import annotations

import torch

from converter.rebuild.host_values import is_plain, range_length
from converter.rebuild.pytorch.dtypes import from_numpy, to_framework, to_onnx
from converter.rebuild.pytorch.table import op


@op("ConstantOfShape", since=9, host=("input",))
def constant_of_shape(input, *, value=None, device):
    shape = tuple(input)
    if value is None:
        return torch.zeros(shape, device=device)
    return from_numpy(value).to(device).reshape(()).expand(shape).clone()


@op("Range", since=11, either=("start", "limit", "delta"))
def range_(start, limit, delta, *, stash_type=1, output_type, device):
    bounds = [x[0] if isinstance(x, tuple) else x for x in (start, limit, delta)]
    # A bound that is known before the run is a Python number: its type is the output's.
    given = [x for x in bounds if isinstance(x, torch.Tensor)]
    dtype = to_framework(output_type) if output_type else given[0].dtype
    if torch.jit.is_tracing() or (not given and not dtype.is_floating_point):
        return torch.arange(*bounds, dtype=dtype, device=device)
    if all(map(is_plain, bounds)):
        count = range_length(*bounds, to_onnx(dtype))
    elif not given:  # symbolic sizes
        return torch.arange(*bounds, dtype=dtype, device=device)
    else:
        count = _count(*(_scalar(x, dtype, device) for x in bounds))
    wide = torch.float64 if dtype.is_floating_point else torch.int64
    start, _, delta = (x.reshape(()).to(wide) if isinstance(x, torch.Tensor) else x for x in bounds)
    return (start + torch.arange(count, dtype=wide, device=device) * delta).to(dtype)


def _scalar(x, dtype, device):
    if isinstance(x, torch.Tensor):
        return x.reshape(()).to(dtype)
    return torch.scalar_tensor(x, dtype=dtype, device=device)


def _count(start, limit, delta):
    """Return how many numbers a `Range` has; the quotient is rounded as its type rounds it."""
    if not start.is_floating_point():
        start, limit, delta = start.long(), limit.long(), delta.long()
        count = -torch.div(start - limit, delta, rounding_mode="floor")
    else:
        if start.dtype.itemsize == 2:
            start, limit, delta = start.float(), limit.float(), delta.float()
        count = torch.ceil((limit - start) / delta)
    return count.clamp(min=0).long().item()


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
