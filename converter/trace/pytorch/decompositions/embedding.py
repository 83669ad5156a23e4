"""Bags of embeddings as sums over segments; `torch.onnx` writes a loop that is NaN for no ids."""

from __future__ import annotations

import torch
from torch import Tensor

aten = torch.ops.aten

SUM, MEAN, MAX = 0, 1, 2


def bags(
    weight: Tensor, ids: Tensor, offsets: Tensor, scale_grad_by_freq: bool = False, mode: int = SUM,
    sparse: bool = False, per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False, padding_idx: int | None = -1,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Return ``[bags, features]``; a bag without ids is 0. The other results are not computed.

    Bag ``i`` holds the ids from ``offsets[i]`` to the next offset.
    """
    count, size = offsets.shape[0], weight.shape[1]
    begins = torch.zeros(ids.shape[0] + 1, dtype=torch.int64)
    begins = begins.scatter_add(
        0, offsets.to(torch.int64), torch.ones_like(offsets, dtype=torch.int64)
    )
    bag = begins.cumsum(0)[:-1] - 1
    rows = weight.index_select(0, ids)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(1)
    used = torch.ones_like(bag)
    if padding_idx is not None and padding_idx >= 0:
        used = (ids != padding_idx).to(torch.int64)
    index = bag.unsqueeze(1).expand(-1, size)
    held = torch.zeros(count, dtype=torch.int64).scatter_add(0, bag, used).unsqueeze(1)
    if mode == MAX:
        lowest = -float("inf")
        rows = torch.where(used.unsqueeze(1) > 0, rows, lowest)
        start = torch.full((count, size), lowest, dtype=rows.dtype)
        result = torch.where(held > 0, start.scatter_reduce(0, index, rows, "amax"), 0.0)
    else:
        rows = rows * used.unsqueeze(1).to(rows.dtype)
        result = torch.zeros(count, size, dtype=rows.dtype).scatter_add(0, index, rows)
    if mode == MEAN:
        result = result / held.clamp(min=1).to(rows.dtype)
    if include_last_offset:  # the last offset ends the last bag
        result = result[:-1]
    nothing = torch.zeros(0, dtype=torch.int64)
    return result, nothing, nothing, nothing


DECOMPOSITIONS = {
    aten.embedding_bag.default: bags,
    aten.embedding_bag.padding_idx: bags,
    aten._embedding_bag.default: bags,
    aten._embedding_bag_forward_only.default: bags,
}
