"""Convolutions in three dimensions; `torch.onnx` makes the bias that is left out of two axes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def with_bias(convolution: Any) -> Any:
    """Return the convolution, with zeros for a bias that is left out."""

    def decomposition(x: Tensor, weight: Tensor, bias: Tensor | None = None, *rest: Any) -> Any:
        if bias is not None:
            return NotImplemented
        return convolution(x, weight, weight.new_zeros(weight.shape[0]), *rest)

    return decomposition


DECOMPOSITIONS = {aten.conv3d.default: with_bias(aten.conv3d.default)}
