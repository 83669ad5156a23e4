"""Parts of nearly the same size (`torch.tensor_split`) of axes whose size is open.

PyTorch compares the remainder with the number of each part, and a trace keeps what it finds for the
example's size. Here the part's bounds are expressions of the size.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor

ORIGINAL = torch.tensor_split


@contextmanager
def open_splits() -> Iterator[None]:
    """Trace `torch.tensor_split` so that it holds for all sizes."""
    with (
        mock.patch.object(torch, "tensor_split", tensor_split),
        mock.patch.object(Tensor, "tensor_split", tensor_split),
    ):
        yield


def tensor_split(
    input: Tensor, indices_or_sections: Any = None, dim: int = 0, **named: Any
) -> tuple[Tensor, ...]:
    """Return the parts of an axis, as PyTorch does.

    Args:
        indices_or_sections: how many parts, of which the first are one longer where it does not
            come out even; or the places where one part ends and the next begins.
    """
    given = named.pop("indices", named.pop("sections", indices_or_sections))
    numbers = (int, torch.SymInt)
    if isinstance(given, list | tuple):
        bounds = [0, *given, None]
    elif isinstance(given, int) and given > 0 and not isinstance(input.shape[dim], int):
        size = input.shape[dim]
        longer = size % given
        bounds = [part * (size // given) + torch.sym_min(part, longer) for part in range(given)]
        bounds.append(size)
    else:
        return tuple(ORIGINAL(input, given, dim, **named))
    if not all(bound is None or isinstance(bound, numbers) for bound in bounds):
        return tuple(ORIGINAL(input, given, dim, **named))
    return tuple(
        torch.ops.aten.slice.Tensor(input, dim, start, end)
        for start, end in zip(bounds, bounds[1:], strict=False)
    )
