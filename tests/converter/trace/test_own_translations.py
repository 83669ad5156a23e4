"""Operators that `torch.onnx` has not got, gets wrong, or cannot trace."""

from __future__ import annotations

import math

import pytest
import torch

from tests.converter.trace.road import same

FAR = torch.cat([
    torch.linspace(-12, 40, 157), torch.tensor([0.0, -0.0, 1e20, -1e20, math.inf, -math.inf]),
])  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("function", [torch.special.erfcx, torch.special.log_ndtr])
def test_tails_past_single_precision(function, dtype) -> None:
    same(function, FAR.to(dtype).clamp(-9) if function is torch.special.erfcx else -FAR.to(dtype))


@pytest.mark.parametrize("value", [0.0, 2.0])
def test_nonzero_of_a_tensor_without_dimensions(value) -> None:
    same(torch.nonzero, torch.tensor(value))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 3)])
def test_nonzero(shape) -> None:
    same(torch.nonzero, torch.randn(shape).relu())


@pytest.mark.parametrize("join", [torch.hstack, torch.vstack, torch.dstack, torch.column_stack])
@pytest.mark.parametrize("shape", [(3,), (2, 3), (1, 2, 3)])
def test_stacks_of_a_list(join, shape) -> None:
    same(lambda x, y: join([x, y]), torch.randn(shape), torch.randn(shape))
    same(lambda x: join([x]), torch.randn(shape))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.int32])
@pytest.mark.parametrize("bounds", [(0, 6.5), (-1.5, 2), (1, 4), (None, 2.5), (0.5, None)])
def test_clamp_with_an_integer_and_a_float_bound(dtype, bounds) -> None:
    same(lambda x: x.clamp(*bounds), torch.tensor([-3, 0, 1, 2, 7, 9]).to(dtype))


@pytest.mark.parametrize("mask", [(3, 4), (4,), (1, 1)])
def test_masked_select(mask) -> None:
    generator = torch.Generator().manual_seed(1)
    chosen = torch.rand(mask, generator=generator) > 0.4
    same(lambda x, m: torch.masked_select(x, m), torch.randn(3, 4), chosen)
    same(lambda x, m: torch.masked_select(x, m).sum() * 2, torch.randn(3, 4), chosen)
    same(lambda x, m: x[m].relu() + 1, torch.randn(3, 4), chosen.expand(3, 4))


@pytest.mark.parametrize("dtype", [torch.int64, torch.float32, torch.bool])
@pytest.mark.parametrize("values", [[1, 1, 2, 2, 2, 1, 3], [4], []])
def test_unique_consecutive(dtype, values) -> None:
    x = torch.tensor(values).to(dtype)
    same(torch.unique_consecutive, x)
    same(lambda t: torch.unique_consecutive(t, return_inverse=True, return_counts=True), x)


@pytest.mark.parametrize(("offset", "dims"), [(0, (0, 1)), (1, (0, 2)), (-1, (2, 1)), (2, (1, 0))])
def test_diagonal_scatter(offset, dims) -> None:
    x = torch.randn(3, 4, 5)
    part = torch.diagonal(x, offset, *dims)
    same(lambda a, b: torch.diagonal_scatter(a, b, offset, *dims), x, torch.randn(part.shape))


def test_sort_copysign_and_distances() -> None:
    x, y = torch.randn(4, 5), torch.randn(3, 5)
    same(lambda a: torch.argsort(a, dim=0, stable=True, descending=True), x.round())
    same(lambda a: torch.sort(a > 0, stable=True), x)
    same(lambda a: torch.copysign(a, torch.tensor([0.0, -0.0, 1.0, -1.0, -0.0])), x)
    for p in (0.5, 1.0, 2.0, math.inf):
        same(lambda a, b, p=p: torch.cdist(a, b, p), x, y)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("padding", [None, 3])
def test_bags_of_embeddings_empty_ones_too(mode, last, padding) -> None:
    table, ids = torch.randn(10, 4), torch.tensor([1, 3, 3, 9, 0, 3, 2])
    offsets = torch.tensor([0, 2, 3, 3, 5, 7])
    weights = torch.randn(7) if mode == "sum" else None

    def function(*tensors: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.embedding_bag(
            tensors[1], tensors[0], tensors[2], mode=mode, include_last_offset=last,
            padding_idx=padding, per_sample_weights=tensors[3] if len(tensors) > 3 else None,
        )  # fmt: skip

    same(function, *(t for t in (table, ids, offsets, weights) if t is not None))
    same(
        lambda t, i: torch.nn.functional.embedding_bag(i, t, mode=mode, padding_idx=padding),
        table, ids[:6].reshape(3, 2),
    )  # fmt: skip
