"""Attention that drops weights at random; `torch.onnx` writes a dropout that does nothing.

Attention on float64 as well: ONNX's ``Attention`` has its scale in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, *, scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:  # fmt: skip
    """Write attention with dropout out: softmax of the scaled products, dropped, times values."""
    if not dropout_p and query.dtype != torch.float64:
        return NotImplemented
    if enable_gqa:
        groups = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    scores = query @ key.transpose(-2, -1) * factor
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(torch.logical_not(attn_mask), -float("inf"))
    elif attn_mask is not None:
        scores = scores + attn_mask
    weights = scores.softmax(-1)
    if dropout_p:
        weights, _ = aten.native_dropout(weights, dropout_p, True)
    return weights @ value


DECOMPOSITIONS = {aten.scaled_dot_product_attention.default: attention}
"""Without dropout the call stays whole: ONNX has attention."""
