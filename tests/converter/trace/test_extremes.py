"""Running results, ranks, means that are scattered, and what reductions keep of a dtype."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import converter
from tests.converter.trace.road import Function, same

RUNNING = {
    "cumprod": lambda x: torch.cumprod(x, 1),
    "cummax": lambda x: torch.cummax(x, 1),
    "cummin": lambda x: torch.cummin(x, 0),
    "median": torch.median,
    "median_values": lambda x: torch.median(x, 0, True)[0],
    "nanmedian": torch.nanmedian,
    "nanmedian_values": lambda x: torch.nanmedian(x, 1)[0],
    "kthvalue": lambda x: torch.kthvalue(x, 4, 1)[0],
    "logcumsumexp": lambda x: torch.logcumsumexp(x, 1),
    "hypot": lambda x: torch.hypot(x, x.flip(0)),
    "fmax": lambda x: torch.fmax(x, x.flip(0)),
    "fmin": lambda x: torch.fmin(x, x.flip(0)),
    "lgamma": torch.lgamma,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", RUNNING)
def test_nan_and_infinity(name: str, dtype: torch.dtype) -> None:
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(7))
    x[1, 2], x[2], x[0, 1], x[0, 3] = math.nan, math.nan, 1.5, 1.5
    x[3] = torch.tensor([math.inf, 2, -math.inf, -3, math.inf])
    same(RUNNING[name], x.to(dtype))


def test_places_and_integers() -> None:
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(8))
    for function in (
        lambda t: torch.median(t, 1), lambda t: torch.nanmedian(t, 0),
        lambda t: torch.kthvalue(t, 2, 1, True), lambda t: torch.lgamma(t * 40),
        lambda t: torch.cummax((t * 2).long(), 0), lambda t: torch.cumprod((t * 2).int(), 1),
        lambda t: torch.median((t * 9).long()), lambda t: torch.cummin(t > 0, 1),
    ):  # fmt: skip
        same(function, x)


@pytest.mark.parametrize("include_self", [True, False])
@pytest.mark.parametrize("reduce", ["sum", "mean", "prod", "amin", "amax"])
def test_scatter_to_one_place_several_times(reduce: str, include_self: bool) -> None:
    index = torch.tensor([[0, 0, 1, 1, 0], [2, 1, 1, 0, 0]])

    def function(x: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        return x.scatter_reduce(0, index, source, reduce, include_self=include_self)

    x, source = torch.randn(3, 5), torch.randn(2, 5)
    source[0, 1] = source[1, 3] = math.inf if reduce == "amin" else -math.inf
    same(function, x, source)
    whole = (x * 9).long(), torch.randint(-9, 9, (2, 5))
    same(function, *whole)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int32, torch.bool])
def test_reductions_keep_the_dtype_where_the_result_is_an_output(dtype: torch.dtype) -> None:
    x = torch.tensor([[1, 0, 2], [1, 3, 1]]).to(dtype)
    for function in (
        lambda t: (t.sum(), t.sum(1), t.prod(), t.prod(0), t.cumsum(0)),
        lambda t: (t.amax(), t.aminmax(), t.sum(dtype=torch.float64)),
    ):
        same(function, x)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("name", ["hann", "hamming", "blackman", "bartlett"])
def test_windows(name: str, count: int) -> None:
    window = getattr(torch, f"{name}_window")
    for periodic in (True, False):
        same(lambda x, p=periodic: window(count, p) * x, torch.ones(()))


def test_an_axis_of_one_stands_for_all() -> None:
    same(lambda x: torch.einsum("bi,bj->bij", x, x.mT), torch.randn(3, 1))
    same(
        lambda x, y: torch.einsum("...ij,...jk->...ik", x, y),
        torch.randn(2, 3, 1),
        torch.ones(4, 5),
    )


def test_sums_of_booleans() -> None:
    x = torch.tensor([True, False, True, False])
    for alpha in (0, 2):
        same(lambda a, n=alpha: torch.add(a, a.flip(0), alpha=n), x)
    same(lambda a: (a * a.flip(0) + (a * True), a**2, a**1.5), x)


def test_convolutions_without_bias_and_cross_products() -> None:
    layer = nn.Conv3d(3, 3, (2, 1, 2), groups=3, bias=False, padding="same").eval()
    same(layer, torch.randn(2, 3, 5, 1, 4))
    same(lambda x, y: torch.cross(x, y), torch.randn(3, 3), torch.randn(3, 3))
    same(lambda x: F.unfold(x, 2), torch.randn(3, 4, 5))
    same(lambda x: F.fold(x, (3, 4), 2), torch.randn(8, 6))
    target = torch.tensor([0, 1, 2])
    x, weight = torch.randn(3, 4), torch.rand(4)
    for reduction in ("mean", "sum", "none"):
        options = {"label_smoothing": 0.1, "reduction": reduction, "ignore_index": 1}
        same(lambda x, o=options: F.cross_entropy(x, target, **o), x)
        same(lambda x, o=options: F.cross_entropy(x, target, weight=weight, **o), x)
    same(
        lambda x: F.cross_entropy(x, target.reshape(1, 3), label_smoothing=0.1),
        torch.randn(1, 4, 3),
    )


@pytest.mark.parametrize("sizes", [(1, 3), (2, 2), (5, 6), (7, 9)])
def test_sizes_that_are_open(sizes: tuple[int, int]) -> None:
    result = opened()
    rows, columns = sizes
    x = torch.randn(rows, 2, columns, 3)
    for got, wanted in zip(result(x), several(x), strict=True):
        torch.testing.assert_close(got, wanted)


def several(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return (
        *torch.tensor_split(x, 3), *x.tensor_split([1, 2], dim=2),
        F.interpolate(x, scale_factor=2, mode="area"), torch.cummax(x, 2)[0],
        torch.median(x, 0)[0],
    )  # fmt: skip


MODELS: dict[str, nn.Module] = {}


def opened() -> nn.Module:
    """Return what `several` becomes, converted once."""
    if not MODELS:
        specs = ["x0:float32[n,2,m,3]"]
        named = Function(several)
        named.forward = lambda x0: several(x0)  # type: ignore[method-assign]
        MODELS["x"] = converter.convert(named, "torch", inputs=specs, verify=False).model
    return MODELS["x"]
