"""Tensors that are joined in the ways of NumPy, and numbers of Python beside float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import converter


class Several(nn.Module):
    """Returns what several functions make of the input."""

    def __init__(self, *functions: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.functions = functions

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(function(x) for function in self.functions)


def both(model: nn.Module, spec: str, x: torch.Tensor) -> list[tuple[Any, Any]]:
    result = converter.convert(model, "tf", inputs=[spec], verify=False).model
    pairs = zip(result(x.numpy()), model(x), strict=True)
    return [(np.asarray(got), want.numpy()) for got, want in pairs]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 2)])
def test_stacks_of_numpy(shape: tuple[int, ...]) -> None:
    stacks = (torch.hstack, torch.vstack, torch.dstack, torch.column_stack, torch.row_stack)
    model = Several(*(lambda x, s=stack: s([x, x * 2]) for stack in stacks))
    x = torch.arange(int(np.prod(shape)), dtype=torch.float32).reshape(shape)
    for got, want in both(model, f"x:float32[{','.join(map(str, shape))}]", x):
        np.testing.assert_array_equal(got, want)


def test_integers_are_never_nan() -> None:
    model = Several(torch.isnan, torch.isinf, torch.isfinite)
    for got, want in both(model, "x:int32[n]", torch.arange(3, dtype=torch.int32)):
        np.testing.assert_array_equal(got, want)


def test_a_number_beside_float64_keeps_its_digits() -> None:
    model = Several(
        lambda x: x + 0.1,
        lambda x: x.clamp(-0.9, 0.9),
        lambda x: torch.where(x > 0, x, 0.1),
        lambda x: torch.full_like(x, 0.1),
        lambda x: x.masked_fill(x > 0, 0.1),
        lambda x: torch.lerp(x, x * 2, 0.3),
        lambda x: 0.1 - x,
    )
    x = torch.linspace(-2, 2, 9, dtype=torch.float64)
    for got, want in both(model, "x:float64[n]", x):
        np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-14)


def test_chosen_places_of_no_rows() -> None:
    model = Several(lambda x: x[:, :, [0, -1]], lambda x: x[:, [1, 0]])
    result = converter.convert(model, "tf", inputs=["x:float32[0<=n,2,3]"], verify=False).model
    for rows in (0, 2):
        x = torch.randn(rows, 2, 3)
        for got, want in zip(result(x.numpy()), model(x), strict=True):
            np.testing.assert_array_equal(got, want.numpy())
