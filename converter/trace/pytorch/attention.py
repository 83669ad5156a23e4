"""Scaled dot-product attention of any rank; `torch.onnx` itself takes four dimensions only."""

from __future__ import annotations

from typing import Any

import torch

HEADS_AND_BATCH = 4


def translate(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Write attention down as ONNX's `Attention`, with leading axes added and taken off again."""
    from onnxscript import opset23 as op
    from torch.onnx._internal.exporter._torchlib.ops.nn import (
        aten_scaled_dot_product_attention_23,
    )

    missing = HEADS_AND_BATCH - len(query.shape)
    if missing <= 0:
        return aten_scaled_dot_product_attention_23(
            query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa
        )
    # [batch, length, features] -> [batch, 1, length, features]; [length, features] -> [1, 1, ...]
    axes = [1] if missing == 1 else [0, 1]
    if attn_mask is not None and len(attn_mask.shape) > 2:
        attn_mask = op.Unsqueeze(attn_mask, [1])
    wide = [op.Unsqueeze(tensor, axes) for tensor in (query, key, value)]
    result, *_ = op.Attention(*wide, attn_mask, scale=scale, is_causal=int(is_causal))
    return op.Squeeze(result, axes)


TRANSLATIONS = {torch.ops.aten.scaled_dot_product_attention.default: translate}
