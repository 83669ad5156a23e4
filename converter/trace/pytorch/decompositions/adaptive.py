"""Adaptive pooling, of open sizes too.

PyTorch's own decomposition compares the size with the number of windows, and keeps what it finds
for the example's size. Here each window ends where its number says: the i-th of n over a size s
goes from ``floor(i * s / n)`` to ``ceil((i + 1) * s / n)``. The axes are taken one after the other,
because a window is a box. Where the number of windows is open as well (``mode="area"``), each
window is a row of a table that says which elements it sees.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def average(spatial: int) -> Any:
    """Return the decomposition of average pooling over ``spatial`` axes."""
    pool = getattr(aten, f"avg_pool{spatial}d").default

    def decomposition(x: Tensor, output_size: Any) -> Any:
        if kernel := even(x, output_size):
            return pool(x, kernel, kernel)
        for axis, count in to_pool(x, output_size):
            if isinstance(count, int):
                x = torch.cat([part.mean(axis, True) for part in windows(x, axis, count)], axis)
            else:
                moved, seen = x.movedim(axis, -1).unsqueeze(-2), table(x.shape[axis], count)
                total = torch.where(seen, moved, 0.0).sum(-1)
                x = (total / seen.sum(-1).to(x.dtype)).movedim(-1, axis)
        return x

    return decomposition


def largest(spatial: int) -> Any:
    """Return the decomposition of maximum pooling over ``spatial`` axes; with the places."""
    pool = getattr(aten, f"max_pool{spatial}d_with_indices").default

    def decomposition(x: Tensor, output_size: Any) -> Any:
        if kernel := even(x, output_size):
            return pool(x, kernel, kernel)
        sizes = x.shape[-spatial:]
        count = 1
        for size in sizes:
            count = count * size
        places = torch.arange(count, device=x.device).reshape(sizes).expand(x.shape)
        for axis, number in reversed(to_pool(x, output_size)):
            if not isinstance(number, int):
                moved, seen = x.movedim(axis, -1).unsqueeze(-2), table(x.shape[axis], number)
                place = torch.where(seen, moved, -math.inf).argmax(-1)
                x = x.movedim(axis, -1).gather(-1, place).movedim(-1, axis)
                places = places.movedim(axis, -1).gather(-1, place).movedim(-1, axis)
                continue
            pairs = zip(windows(x, axis, number), windows(places, axis, number), strict=True)
            chosen = [
                (part.amax(axis, True), where.gather(axis, part.argmax(axis, True)))
                for part, where in pairs
            ]
            x = torch.cat([values for values, _ in chosen], axis)
            places = torch.cat([where for _, where in chosen], axis)
        return x, places

    return decomposition


def even(x: Tensor, output_size: Any) -> list[int]:
    """Return the sizes of the windows where all are the same and known, else nothing."""
    pairs = list(zip(x.shape[-len(output_size) :], output_size, strict=True))
    if all(isinstance(size, int) and isinstance(n, int) and n for size, n in pairs) and all(
        size and size % n == 0 for size, n in pairs
    ):
        return [size // n for size, n in pairs]
    return []


def to_pool(x: Tensor, output_size: Any) -> list[tuple[int, int]]:
    """Return the axes that change, each with its number of windows.

    An axis whose own size is the number stays: the caller wrote ``None``.
    """
    axes = range(-len(output_size), 0)
    pairs = zip(axes, output_size, strict=True)
    return [(axis, n) for axis, n in pairs if not is_size(n, x.shape[axis])]


def is_size(number: Any, size: Any) -> bool:
    """Tell whether two open sizes are the same for all sizes of the inputs."""
    if isinstance(number, int) or isinstance(size, int):
        return False
    return bool(number.node.expr == size.node.expr)


def table(size: Any, count: Any) -> Tensor:
    """Return ``[count, size]``: which elements of an axis each window sees."""
    number, place = torch.arange(count).unsqueeze(1), torch.arange(size).unsqueeze(0)
    start = number * size // count
    end = ((number + 1) * size + count - 1) // count
    return (start <= place) & (place < end)


def windows(x: Tensor, axis: int, count: int) -> list[Tensor]:
    """Return the part of ``x`` that each window sees."""
    size = x.shape[axis]
    starts = [index * size // count for index in range(count)]
    ends = [-(-(index + 1) * size // count) for index in range(count)]
    return [
        aten.slice.Tensor(x, axis % x.dim(), start, end)
        for start, end in zip(starts, ends, strict=True)
    ]


DECOMPOSITIONS = {
    aten._adaptive_avg_pool2d.default: average(2),
    aten._adaptive_avg_pool3d.default: average(3),
    aten.adaptive_max_pool2d.default: largest(2),
    aten.adaptive_max_pool3d.default: largest(3),
}
