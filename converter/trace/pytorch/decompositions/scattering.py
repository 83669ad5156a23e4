"""Writing into parts of a tensor."""

from __future__ import annotations

import torch
from torch import Tensor

aten = torch.ops.aten


def diagonal_scatter(
    x: Tensor, source: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """Put ``source`` on a diagonal of the matrices that two axes of ``x`` make."""
    last = x.movedim((dim1, dim2), (-2, -1))
    rows, columns = last.shape[-2:]
    place = torch.arange(source.shape[-1])
    place = (place + max(0, -offset)) * columns + place + max(0, offset)
    flat = last.reshape(*last.shape[:-2], rows * columns)
    written = flat.scatter(-1, place.expand(source.shape), source)
    return written.reshape(last.shape).movedim((-2, -1), (dim1, dim2))


DECOMPOSITIONS = {aten.diagonal_scatter.default: diagonal_scatter}
