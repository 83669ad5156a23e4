"""Handlers of the room `nn`: attention and rotary embedding."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from converter.rebuild.pytorch.dtypes import to_framework
from converter.rebuild.pytorch.table import op


def split_heads(x, heads):
    """``[batch, length, heads * size]`` -> ``[batch, heads, length, size]``; 4-D stays."""
    if x.dim() == 4:
        return x
    return x.reshape(x.shape[0], x.shape[1], heads, x.shape[2] // heads).transpose(1, 2)


def join_heads(x, like):
    """Undo `split_heads` where the query came in three dimensions."""
    return x if like.dim() == 4 else x.transpose(1, 2).flatten(2)


@op("Attention", since=23)
def attention(
    Q,
    K,
    V,
    attn_mask=None,
    past_key=None,
    past_value=None,
    nonpad_kv_seqlen=None,
    *,
    is_causal=0,
    kv_num_heads=None,
    left_window_size=-1,
    q_num_heads=None,
    qk_matmul_output_mode=0,
    right_window_size=-1,
    scale=None,
    softcap=0.0,
    softmax_precision=None,
    n_outputs,
):
    """Multi-head, grouped or multi-query attention.

    The plain case is PyTorch's own kernel; what that has no argument for (soft cap, the score
    output, a softmax of its own precision) is composed.
    """
    q = split_heads(Q, q_num_heads)
    k, v = split_heads(K, kv_num_heads), split_heads(V, kv_num_heads)
    past = 0
    if past_key is not None:
        past = past_key.shape[2]
        k, v = torch.cat((past_key, k), 2), torch.cat((past_value, v), 2)
    present = (k, v)
    plain = n_outputs < 4 and not softcap and softmax_precision in (None, 1)
    # Off the GPU PyTorch has no half-precision kernel that rounds as ONNX's function body does.
    plain = plain and (q.dtype != torch.float16 or q.is_cuda)
    windows = (left_window_size, right_window_size)
    open_ = windows == (-1, -1) and past_key is attn_mask is nonpad_kv_seqlen is None
    if plain and is_causal and open_:
        return join_heads(_kernel(q, k, v, None, scale, True), Q), *present, None
    bias = _bias(q, k, attn_mask, nonpad_kv_seqlen, is_causal, windows, past)
    if plain:
        return join_heads(_kernel(q, k, v, bias, scale, False), Q), *present, None
    y, scores = _composed(q, k, v, bias, scale, softcap, softmax_precision, qk_matmul_output_mode)
    return join_heads(y, Q), *present, scores


def _kernel(q, k, v, bias, scale, causal):
    grouped = q.shape[1] != k.shape[1]
    return F.scaled_dot_product_attention(
        q, k, v, bias, is_causal=causal, scale=scale, enable_gqa=grouped
    )


def _bias(q, k, mask, lengths, is_causal, windows, past):
    """Return what is added to the scores, ``None`` for nothing."""
    rows, columns = q.shape[2], k.shape[2]
    bias = None if mask is None else _padded_mask(mask, columns, q.dtype)
    left, right = windows
    row = torch.arange(rows, device=q.device)[:, None] + past
    column = torch.arange(columns, device=q.device)
    if lengths is not None:
        lengths = lengths.reshape(-1, 1, 1, 1)
        row = row + (lengths - rows)
        bias = _plus(bias, _additive(column < lengths, q.dtype))
    if is_causal:
        bias = _plus(bias, _additive(column <= row, q.dtype))
    if left >= 0:
        bias = _plus(bias, _additive(column >= row - left, q.dtype))
    if right >= 0:
        bias = _plus(bias, _additive(column <= row + right, q.dtype))
    return bias


def _padded_mask(mask, columns, dtype):
    """Return a mask as something to add, of rank 2 at least; what it does not reach is closed."""
    missing = columns - mask.shape[-1]
    if missing:
        mask = F.pad(mask, (0, missing), value=False if mask.dtype == torch.bool else -math.inf)
    mask = mask if mask.dim() > 1 else mask[None]
    return _additive(mask, dtype) if mask.dtype == torch.bool else mask.to(dtype)


def _additive(allowed, dtype):
    zero = torch.zeros((), dtype=dtype, device=allowed.device)
    return torch.where(allowed, zero, torch.full_like(zero, -math.inf))


def _plus(a, b):
    return b if a is None else a + b


def _composed(q, k, v, bias, scale, softcap, precision, mode):
    if q.shape[1] != k.shape[1]:
        repeats = q.shape[1] // k.shape[1]
        k, v = k.repeat_interleave(repeats, 1), v.repeat_interleave(repeats, 1)
    root = math.sqrt(1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    scores = raw = (q * root) @ (k * root).transpose(-1, -2)
    if softcap:
        scores = softcap * torch.tanh(scores / softcap)
    capped = scores
    scores = biased = scores if bias is None else scores + bias
    wide = scores if precision is None else scores.to(to_framework(precision))
    weights = F.softmax(wide, -1).to(q.dtype)
    # A row that may look at nothing gives zeros, not NaN.
    weights = torch.where(torch.isneginf(scores).all(-1, keepdim=True), 0.0, weights).to(q.dtype)
    return weights @ v, {0: raw, 1: capped, 2: biased, 3: weights}[mode]


@op("RotaryEmbedding", since=23)
def rotary_embedding(
    X,
    cos_cache,
    sin_cache,
    position_ids=None,
    *,
    interleaved=0,
    num_heads=None,
    rotary_embedding_dim=0,
):
    """Rotate pairs of features by an angle that depends on the position (Su et al. 2021)."""
    # To [batch, length, heads, size], where the caches broadcast.
    x = split_heads(X, num_heads).transpose(1, 2)
    size = rotary_embedding_dim or x.shape[-1]
    turned, rest = x[..., :size], x[..., size:]
    if position_ids is not None:
        cos_cache, sin_cache = cos_cache[position_ids], sin_cache[position_ids]
    cos, sin = cos_cache[..., : size // 2].unsqueeze(2), sin_cache[..., : size // 2].unsqueeze(2)
    if interleaved:
        a, b = turned[..., 0::2], turned[..., 1::2]
        turned = torch.stack((cos * a - sin * b, sin * a + cos * b), -1).flatten(-2)
    else:
        a, b = turned.chunk(2, -1)
        turned = torch.cat((cos * a - sin * b, sin * a + cos * b), -1)
    y = torch.cat((turned, rest), -1)
    return y.transpose(1, 2) if X.dim() == 4 else y.reshape(X.shape)
