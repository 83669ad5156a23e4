"""Average pooling with a divisor of the user's, and of integers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def average(spatial: int) -> Any:
    """Return the decomposition for pooling over ``spatial`` axes."""
    pool = getattr(aten, f"avg_pool{spatial}d").default

    def decomposition(
        x: Tensor, kernel: Any, stride: Any = (), padding: Any = (0,), ceil_mode: bool = False,
        count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> Any:  # fmt: skip
        if not x.dtype.is_floating_point:  # PyTorch divides integers, towards zero
            options = (kernel, stride, padding, ceil_mode, count_include_pad)
            divisor = () if spatial == 1 else (divisor_override,)
            mean = pool(x.to(torch.float64), *options, *divisor)
            return mean.trunc().to(x.dtype)
        if divisor_override is None:
            return NotImplemented
        kernel, padding = full(kernel, spatial), full(padding, spatial)
        stride = full(stride, spatial) if stride else kernel
        sides = [
            (pad, pad + (missing(size, k, s, pad) if ceil_mode else 0))
            for size, k, s, pad in zip(x.shape[-spatial:], kernel, stride, padding, strict=True)
        ]
        around = [side for pair in reversed(sides) for side in pair]
        size = 1
        for k in kernel:
            size *= k
        mean = pool(torch.nn.functional.pad(x, around), kernel, stride)
        return mean * (size / divisor_override)

    return decomposition


def full(value: Any, length: int) -> list[int]:
    """Return one number per axis."""
    return list(value) * (length if len(value) == 1 else 1)


def missing(size: Any, kernel: int, stride: int, pad: int) -> Any:
    """Return what the last window of ``ceil_mode`` reaches beyond the padded input.

    A window that would start behind the input and its left padding does not count.
    """
    windows = -(-(size + 2 * pad - kernel) // stride) + 1
    if (windows - 1) * stride >= size + pad:
        windows -= 1
    return max(0, (windows - 1) * stride + kernel - (size + 2 * pad))


DECOMPOSITIONS = {
    aten.avg_pool1d.default: average(1),
    aten.avg_pool2d.default: average(2),
    aten.avg_pool3d.default: average(3),
}
