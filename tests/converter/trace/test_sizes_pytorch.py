"""What PyTorch says with sizes comes over for every size."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import converter

Tensor = torch.Tensor


class Calls(nn.Module):
    """A module of one function."""

    def __init__(self, function: Callable[[Tensor], Tensor | tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.function(x)


def agree(function: Callable[[Tensor], Tensor], spec: str, *shapes: tuple[int, ...]) -> None:
    """Convert to both frameworks and compare, shapes included."""
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    for to in ("tf", "torch"):
        result = converter.convert(Calls(function), to, inputs=[spec], verify=False).model
        for shape in shapes:
            x = rng.normal(size=shape).astype(np.float32)
            got = result(x if to == "tf" else torch.from_numpy(x))
            want = function(torch.from_numpy(x)).numpy()
            assert np.asarray(got).shape == want.shape
            np.testing.assert_allclose(np.asarray(got), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dim", [0, 1, -1, (0, 1), (0, 2), (0, 1, -1)])
@pytest.mark.parametrize("spec", ["x:float32[3,1,4]", "x:float32[n,1,4]", "x:float32[n,2,1]"])
def test_squeeze_leaves_a_dimension_that_is_not_one(dim: int | tuple[int, ...], spec: str) -> None:
    shape = (3, *(int(size) for size in spec[:-1].split(",")[1:]))
    agree(lambda x: x.squeeze(dim), spec, shape)


@pytest.mark.parametrize(
    "size",
    [
        lambda n: -(-n // 2),
        lambda n: (n - 9) // 2 + 5,
        lambda n: n // 2,
        lambda n: (-n) // 3 + n,
        lambda n: n % 3,
        lambda n: (-n) % 4,
    ],
)
def test_division_of_sizes_rounds_down(size: Callable[[int], int]) -> None:
    """A size that becomes negative on the way: rounding up is written so."""
    agree(
        lambda x: x[:, : size(x.shape[1])] * size(x.shape[1]),
        "x:float32[2,4<=n]", (2, 4), (2, 5), (2, 6), (2, 7), (2, 8),
    )  # fmt: skip
