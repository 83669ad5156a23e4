"""Batch normalisation with the batch's own statistics, which `torch.onnx` replaces by the saved."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def statistics(x: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, variance and one over the deviation, each as ``[1, channels, 1...]``."""
    axes = [axis for axis in range(x.dim()) if axis != 1]
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    mean = wide.mean(axes, keepdim=True)
    variance = ((wide - mean) ** 2).mean(axes, keepdim=True)
    return mean, variance, torch.rsqrt(variance + eps)


def normalized(x: Tensor, weight: Any, bias: Any, eps: float) -> tuple[Tensor, ...]:
    """Return the normalised input, and mean, variance and one over the deviation by channel."""
    mean, variance, scale = statistics(x, eps)
    shape = [1, -1] + [1] * (x.dim() - 2)
    result = (x - mean) * scale
    if weight is not None:
        result = result * weight.reshape(shape)
    if bias is not None:
        result = result + bias.reshape(shape)
    return result.to(x.dtype), mean.flatten(), variance.flatten(), scale.flatten()


def functional(
    x: Tensor, weight: Any, bias: Any, running_mean: Tensor, running_var: Tensor,
    training: bool, momentum: float, eps: float,
) -> Any:  # fmt: skip
    """Normalise, and say what the running statistics become: with the unbiased variance."""
    if not training:
        return NotImplemented
    result, mean, variance, scale = normalized(x, weight, bias, eps)
    count = x.numel() / x.shape[1]
    unbiased = variance * (count / (count - 1))
    new_mean = (1 - momentum) * running_mean + momentum * mean.to(running_mean.dtype)
    new_var = (1 - momentum) * running_var + momentum * unbiased.to(running_var.dtype)
    return result, mean, scale, new_mean, new_var


def plain(
    x: Tensor, weight: Any, bias: Any, running_mean: Any, running_var: Any,
    training: bool, momentum: float, eps: float,
) -> Any:  # fmt: skip
    if not training:
        saved = (running_mean, running_var, momentum, eps)
        result, *_ = aten._native_batch_norm_legit_no_training(x, weight, bias, *saved)
        return result, torch.zeros(0), torch.zeros(0)
    result, mean, _, scale = normalized(x, weight, bias, eps)
    return result, mean, scale


def without_statistics(
    x: Tensor, weight: Any, bias: Any, training: bool, momentum: float, eps: float
) -> Any:
    result, mean, _, scale = normalized(x, weight, bias, eps)
    return result, mean, scale


DECOMPOSITIONS = {
    aten._native_batch_norm_legit_functional.default: functional,
    aten._native_batch_norm_legit.no_stats: without_statistics,
    aten._native_batch_norm_legit.default: plain,
    aten.native_batch_norm.default: plain,
}
