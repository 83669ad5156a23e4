"""Handlers of the room `nn`: normalization, dropout, losses are left to their function bodies."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from converter.rebuild.host_values import is_plain
from converter.rebuild.pytorch.dtypes import to_framework
from converter.rebuild.pytorch.table import op


@op("BatchNormalization", since=7)
def batch_normalization_7(X, scale, B, mean, var, *, epsilon=1e-5, momentum=0.9, spatial=1):
    if not spatial:  # statistics of their own for every position
        return ((X - mean) / torch.sqrt(var + epsilon) * scale + B,)
    return (F.batch_norm(X, mean, var, scale, B, False, 0.0, epsilon),)


@op("BatchNormalization", since=14)
def batch_normalization_14(
    X, scale, B, input_mean, input_var, *, epsilon=1e-5, momentum=0.9, training_mode=0, training
):
    """Normalise; the node's own training mode moves the statistics by the population variance.

    A converted module that is being trained moves them as PyTorch does: by the unbiased one.
    """
    if training and not training_mode:
        # The converted module is being trained: the buffers themselves are moved.
        y = F.batch_norm(X, input_mean, input_var, scale, B, True, 1 - momentum, epsilon)
        return y, input_mean, input_var
    if not training_mode:
        scale, B = scale.to(X.dtype), B.to(X.dtype)
        mean, var = input_mean.to(X.dtype), input_var.to(X.dtype)
        if is_plain(X.shape[1]) and X.shape[1] == 0:
            return X.clone(), input_mean, input_var  # PyTorch's kernel refuses no channels
        y = F.batch_norm(X, mean, var, scale, B, False, 0.0, epsilon)
        return y, input_mean, input_var
    axes = [axis for axis in range(X.dim()) if axis != 1]
    mean, var = X.mean(axes), X.var(axes, unbiased=False)
    y = F.batch_norm(X, mean, var, scale.to(X.dtype), B.to(X.dtype), False, 0.0, epsilon)
    mean, var = mean.to(input_mean.dtype), var.to(input_var.dtype)
    running_mean = input_mean * momentum + mean * (1 - momentum)
    return y, running_mean, input_var * momentum + var * (1 - momentum)


@op("InstanceNormalization", since=6)
def instance_normalization(input, scale, B, *, epsilon=1e-5):
    if any(is_plain(size) and size == 0 for size in input.shape):
        return input.clone()  # PyTorch's kernel refuses a batch of none
    # F.instance_norm refuses a single position, for which ONNX gives the bias.
    cudnn = torch.backends.cudnn.enabled
    return torch.instance_norm(input, scale, B, None, None, True, 0.0, epsilon, cudnn)


@op("LayerNormalization", since=17)
def layer_normalization(X, Scale, B=None, *, axis=-1, epsilon=1e-5, stash_type=1, n_outputs):
    axis = axis % X.dim()
    shape = X.shape[axis:]
    if n_outputs == 1 and Scale.shape == shape and (B is None or B.shape == shape):
        return (F.layer_norm(X, shape, Scale, B, epsilon),)
    axes = tuple(range(axis, X.dim()))
    wide = X.to(to_framework(stash_type)) if X.dtype.itemsize < 4 else X
    mean = wide.mean(axes, keepdim=True)
    inverse = torch.rsqrt((wide - mean).square().mean(axes, keepdim=True) + epsilon)
    y = ((wide - mean) * inverse).to(X.dtype) * Scale
    return (y if B is None else y + B), mean, inverse


@op("RMSNormalization", since=23)
def rms_normalization(X, scale, *, axis=-1, epsilon=1e-5, stash_type=1):
    axes = tuple(range(axis % X.dim(), X.dim()))
    wide = X.to(to_framework(stash_type)) if X.dtype.itemsize < 4 else X
    normed = wide * torch.rsqrt(wide.square().mean(axes, keepdim=True) + epsilon)
    return (normed.to(X.dtype) * scale).to(X.dtype)


@op("GroupNormalization", since=18)
def group_normalization_18(X, scale, bias, *, epsilon=1e-5, num_groups):
    y = F.group_norm(X, num_groups, eps=epsilon)
    grouped = y.reshape(X.shape[0], num_groups, math.prod(X.shape[1:]) // num_groups)
    return (grouped * scale[None, :, None] + bias[None, :, None]).reshape(X.shape)


@op("GroupNormalization", since=21)
def group_normalization_21(X, scale, bias, *, epsilon=1e-5, num_groups, stash_type=1):
    return F.group_norm(X, num_groups, scale, bias, epsilon)


@op("LpNormalization", since=1)
def lp_normalization(input, *, axis=-1, p=2):
    norm = torch.linalg.vector_norm(input, p, axis, keepdim=True)
    # ONNX gives zeros where the norm is zero.
    return torch.where(norm == 0, torch.zeros_like(input), input / norm)


@op("LRN", since=1)
def lrn(X, *, alpha=1e-4, beta=0.75, bias=1.0, size):
    squares = X.square().unsqueeze(1)
    channels = squares.reshape(X.shape[0], 1, X.shape[1], math.prod(X.shape[2:]))
    padded = F.pad(channels, (0, 0, (size - 1) // 2, size // 2))
    total = padded.unfold(2, size, 1).sum(-1).reshape(X.shape)
    return X / (bias + alpha / size * total) ** beta


@op("MeanVarianceNormalization", since=9)
def mean_variance_normalization(X, *, axes=(0, 2, 3)):
    mean = X.mean(axes, keepdim=True)
    deviation = torch.sqrt((X * X).mean(axes, keepdim=True) - mean * mean)
    return (X - mean) / (deviation + 1e-9)


@op("Dropout", since=7)
def dropout_7(data, *, ratio=0.5):
    return data, torch.ones_like(data, dtype=torch.bool)


@op("Dropout", since=12, either=("ratio", "training_mode"))
def dropout_12(data, ratio=None, training_mode=None, *, seed=None, training):
    if not (training or (training_mode is not None and bool(training_mode))):
        return data, torch.ones_like(data, dtype=torch.bool)
    ratio = 0.5 if ratio is None else ratio
    mask = torch.rand(data.shape, device=data.device) >= ratio
    return torch.where(mask, data / (1 - ratio), torch.zeros_like(data)).to(data.dtype), mask
