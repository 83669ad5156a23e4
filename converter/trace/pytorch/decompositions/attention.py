"""Attention that drops weights at random; `torch.onnx` writes a dropout that does nothing.

Attention on float64 as well: ONNX's ``Attention`` has its scale in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from converter.trace.pytorch.dropout import ATTENTION

aten = torch.ops.aten


def attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, *, scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:  # fmt: skip
    """Write attention with dropout out: softmax of the scaled products, dropped, times values."""
    if not dropout_p and query.dtype != torch.float64:
        return NotImplemented

    def drop(weights: Tensor) -> Tensor:
        return aten.native_dropout(weights, dropout_p, True)[0] if dropout_p else weights

    return written_out(query, key, value, attn_mask, is_causal, scale, enable_gqa, drop)


def kept(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None, is_causal: bool,
    scale: float | None, enable_gqa: bool, rate: float,
) -> Tensor:  # fmt: skip
    """Write attention out that drops weights in training alone: the dropout stays in the graph."""

    def drop(weights: Tensor) -> Tensor:
        return torch.ops.equiport.dropout_elements(weights, rate)

    return written_out(query, key, value, attn_mask, is_causal, scale, enable_gqa, drop)


def written_out(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None, is_causal: bool,
    scale: float | None, enable_gqa: bool, drop: Callable[[Tensor], Tensor],
) -> Tensor:  # fmt: skip
    """Return ``drop(softmax(query key^T * scale + mask)) value``."""
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
    return drop(scores.softmax(-1)) @ value


DECOMPOSITIONS = {aten.scaled_dot_product_attention.default: attention, ATTENTION: kept}
"""Without dropout the call stays whole: ONNX has attention."""
