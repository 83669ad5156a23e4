"""Losses with arguments that `torch.onnx`'s translation does not read."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten

MEAN, SUM = 1, 2


def cross_entropy(
    x: Tensor, target: Tensor, weight: Tensor | None = None, reduction: int = MEAN,
    ignore_index: int = -100, label_smoothing: float = 0.0,
) -> Any:  # fmt: skip
    """Write a loss with smoothed labels down: part of each label goes to all classes evenly."""
    if not label_smoothing or target.dtype.is_floating_point:
        return NotImplemented
    axis = 1 if x.dim() > 1 else 0
    logs = torch.log_softmax(x, axis)
    weight = torch.ones(x.shape[axis], dtype=x.dtype) if weight is None else weight
    ignored = target == ignore_index
    label = torch.where(ignored, 0, target)
    counted = torch.where(ignored, 0.0, weight[label])
    own = -logs.gather(axis, label.unsqueeze(axis)).squeeze(axis) * counted
    shape = [-1 if place == axis else 1 for place in range(x.dim())]
    even = torch.where(ignored, 0.0, -(logs * weight.reshape(shape)).sum(axis))
    loss = own * (1 - label_smoothing) + even * (label_smoothing / x.shape[axis])
    if reduction == MEAN:
        return loss.sum() / counted.sum()
    return loss.sum() if reduction == SUM else loss


DECOMPOSITIONS = {aten.cross_entropy_loss.default: cross_entropy}
