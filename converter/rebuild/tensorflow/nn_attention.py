"""Handlers of the room `nn`: attention and rotary embedding."""

from __future__ import annotations

import math

import tensorflow as tf

from converter.rebuild.tensorflow.dtypes import to_framework
from converter.rebuild.tensorflow.shapes import dims, vector
from converter.rebuild.tensorflow.table import op


def split_heads(x, heads):
    """``[batch, length, heads * size]`` -> ``[batch, heads, length, size]``; 4-D stays."""
    if x.shape.rank == 4:
        return x
    batch, length, width = dims(x)
    return tf.transpose(tf.reshape(x, vector([batch, length, heads, width // heads])), [0, 2, 1, 3])


def join_heads(x, like):
    """Undo `split_heads` where the query came in three dimensions."""
    if like.shape.rank == 4:
        return x
    batch, heads, length, size = dims(x)
    return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), vector([batch, length, heads * size]))


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
):
    """Multi-head, grouped or multi-query attention, composed as ONNX's function body says."""
    q, k, v = (
        split_heads(Q, q_num_heads),
        split_heads(K, kv_num_heads),
        split_heads(V, kv_num_heads),
    )
    past = 0
    if past_key is not None:
        past = dims(past_key)[2]
        k, v = tf.concat([past_key, k], 2), tf.concat([past_value, v], 2)
    windows = (left_window_size, right_window_size)
    bias = _bias(q, k, attn_mask, nonpad_kv_seqlen, is_causal, windows, past)
    present = (k, v)
    if q.shape[1] != k.shape[1]:
        k, v = (tf.repeat(t, dims(q)[1] // dims(t)[1], axis=1) for t in (k, v))
    root = _root_of_scale(q, scale)
    scores = raw = tf.matmul(q * root, k * root, transpose_b=True)
    if softcap:
        scores = softcap * tf.tanh(scores / softcap)
    capped = scores
    scores = biased = scores if bias is None else scores + bias
    weights = tf.cast(_softmax(scores, softmax_precision, bias is not None), q.dtype)
    y = tf.matmul(weights, v)
    chosen = {0: raw, 1: capped, 2: biased, 3: weights}[qk_matmul_output_mode]
    return join_heads(y, Q), *present, chosen


def _root_of_scale(q, scale):
    """Return the root of the factor of the scores; the size of a head may be open."""
    if scale is None and q.shape[-1] is None:
        return tf.cast(tf.cast(tf.shape(q)[-1], tf.float64) ** -0.25, q.dtype)
    return tf.cast(math.sqrt(1 / math.sqrt(q.shape[-1]) if scale is None else scale), q.dtype)


def _softmax(scores, precision, masked):
    wide = scores if precision is None else tf.cast(scores, to_framework(precision))
    if wide.dtype in (tf.float16, tf.bfloat16):
        wide = tf.cast(wide, tf.float32)
    weights = tf.nn.softmax(wide, -1)
    if not masked:
        return weights
    # A row that may look at nothing gives zeros, not NaN.
    nothing = tf.reduce_all(
        tf.equal(scores, scores.dtype.as_numpy_dtype("-inf")), -1, keepdims=True
    )
    return tf.where(nothing, tf.zeros_like(weights), weights)


def _bias(q, k, mask, lengths, is_causal, windows, past):
    """Return what is added to the scores, ``None`` for nothing."""
    rows, columns = (tf.cast(dims(t)[2], tf.int64) for t in (q, k))
    bias = None if mask is None else _padded_mask(mask, dims(k)[2], q.dtype)
    left, right = windows
    row = tf.range(rows)[:, None] + past
    column = tf.range(columns)
    if lengths is not None:
        lengths = tf.reshape(tf.cast(lengths, tf.int64), [-1, 1, 1, 1])
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
    """Return a mask as something to add; the keys that it does not reach are closed."""
    if mask.dtype == tf.bool:
        mask = _additive(mask, dtype)
    missing = columns - dims(mask)[-1]
    if not isinstance(missing, int) or missing:
        amounts = [[0, 0]] * (mask.shape.rank - 1) + [[0, missing]]
        amounts = tf.stack([tf.stack([tf.cast(v, tf.int64) for v in row]) for row in amounts])
        mask = tf.pad(mask, amounts, constant_values=mask.dtype.as_numpy_dtype("-inf"))
    return tf.cast(mask, dtype)


def _additive(allowed, dtype):
    return tf.where(allowed, tf.zeros((), dtype), tf.cast(-math.inf, dtype))


def _plus(a, b):
    return b if a is None else a + b


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
    sizes = dims(X)
    flat = X.shape.rank == 3
    shape = vector([sizes[0], sizes[1], num_heads, sizes[2] // num_heads]) if flat else None
    x = tf.reshape(X, shape) if flat else tf.transpose(X, [0, 2, 1, 3])
    size = rotary_embedding_dim or x.shape[-1]
    turned, rest = x[..., :size], x[..., size:]
    if position_ids is not None:
        cos_cache, sin_cache = (
            tf.gather(cos_cache, position_ids),
            tf.gather(sin_cache, position_ids),
        )
    cos, sin = (t[..., : size // 2][:, :, None] for t in (cos_cache, sin_cache))
    if interleaved:
        a, b = turned[..., 0::2], turned[..., 1::2]
        pairs = tf.stack([cos * a - sin * b, sin * a + cos * b], -1)
        turned = tf.reshape(pairs, tf.shape(turned))
    else:
        a, b = tf.split(turned, 2, -1)
        turned = tf.concat([cos * a - sin * b, sin * a + cos * b], -1)
    y = tf.concat([turned, rest], -1)
    return tf.reshape(y, vector(sizes)) if flat else tf.transpose(y, [0, 2, 1, 3])
