"""`unfold` and `fold` of one map without a batch; `torch.onnx` counts its axes from the batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def with_batch(operator: Any, rank: int) -> Callable[..., Any]:
    """Return a decomposition that puts a batch of one before an input of ``rank`` axes."""

    def decomposition(x: Tensor, *rest: Any) -> Any:
        if x.dim() != rank:
            return NotImplemented
        return operator(x.unsqueeze(0), *rest).squeeze(0)

    return decomposition


DECOMPOSITIONS = {
    aten.im2col.default: with_batch(aten.im2col.default, 3),
    aten.col2im.default: with_batch(aten.col2im.default, 2),
}
