"""Handlers of the room `nn`: convolutions and pooling in ONNX's own layout.

Each is the channels-last operator between two transpositions; `converter.graph.layout` takes these
out of a graph before it gets here, so they remain where a weight is computed at run time, or where
a caller rebuilds a graph as it is.
"""

from __future__ import annotations

import math

import tensorflow as tf

from converter.rebuild.tensorflow import channels_last
from converter.rebuild.tensorflow.shapes import dims, product, vector
from converter.rebuild.tensorflow.table import op


def to_last(x):
    """``[batch, channels, spatial...]`` -> ``[batch, spatial..., channels]``."""
    return tf.transpose(x, [0, *range(2, x.shape.rank), 1])


def to_first(x):
    """Undo `to_last`."""
    return tf.transpose(x, [0, x.shape.rank - 1, *range(1, x.shape.rank - 1)])


def kernel_last(w):
    """``[a, b, spatial...]`` -> ``[spatial..., b, a]``."""
    return tf.transpose(w, [*range(2, w.shape.rank), 1, 0])


@op("Conv", since=1)
def conv(
    X,
    W,
    B=None,
    *,
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    pads=None,
    strides=None,
):
    return to_first(
        channels_last.conv(
            to_last(X), kernel_last(W), B, auto_pad=auto_pad, dilations=dilations, group=group,
            pads=pads, strides=strides,
        )
    )


@op("ConvTranspose", since=1)
def conv_transpose(
    X,
    W,
    B=None,
    *,
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    output_padding=None,
    output_shape=None,
    pads=None,
    strides=None,
):
    return to_first(
        channels_last.conv_transpose(
            to_last(X), kernel_last(W), B, auto_pad=auto_pad, dilations=dilations, group=group,
            output_padding=output_padding, output_shape=output_shape, pads=pads, strides=strides,
        )
    )


@op("ConvInteger", since=10)
def conv_integer(
    x,
    w,
    x_zero_point=None,
    w_zero_point=None,
    *,
    auto_pad="NOTSET",
    dilations=None,
    group=1,
    kernel_shape=None,
    pads=None,
    strides=None,
):
    # Exact in float64: the sums of products of 8-bit integers stay far below 2**53.
    x, w = tf.cast(x, tf.float64), tf.cast(w, tf.float64)
    if x_zero_point is not None:
        x = x - tf.cast(x_zero_point, tf.float64)
    if w_zero_point is not None:
        zero = tf.cast(w_zero_point, tf.float64)
        w = w - (tf.reshape(zero, [-1, *(1,) * (w.shape.rank - 1)]) if zero.shape.rank else zero)
    y = conv(x, w, auto_pad=auto_pad, dilations=dilations, group=group, pads=pads, strides=strides)
    return tf.cast(y, tf.int32)


@op("MaxPool", since=1)
def max_pool(
    X,
    *,
    auto_pad="NOTSET",
    ceil_mode=0,
    dilations=None,
    kernel_shape,
    pads=None,
    storage_order=0,
    strides=None,
    n_outputs,
):
    attributes = {
        "auto_pad": auto_pad,
        "ceil_mode": ceil_mode,
        "dilations": dilations,
        "kernel_shape": kernel_shape,
        "pads": pads,
        "strides": strides,
    }
    if n_outputs == 1:
        return (to_first(channels_last.max_pool(to_last(X), **attributes)),)
    return _max_pool_with_index(X, storage_order, **attributes)


def _max_pool_with_index(x, storage_order, *, auto_pad, ceil_mode, dilations, kernel_shape, pads, strides):
    """Take the largest of each window's views and the position that it came from."""
    rank = len(kernel_shape)
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    sizes = dims(x)[2:]
    amounts = channels_last.resolve_pads(sizes, kernel_shape, strides, dilations, auto_pad, pads)
    amounts = channels_last.window_pads(sizes, kernel_shape, strides, dilations, amounts, ceil_mode)
    wide = tf.cast(x, tf.float64)
    position = tf.reshape(tf.range(tf.size(x, tf.int64)), tf.shape(x))
    if storage_order:  # positions count down the columns
        order = [0, 1, *reversed(range(2, rank + 2))]
        position = tf.reshape(tf.range(tf.size(x, tf.int64)), tf.gather(tf.shape(x), order))
        position = tf.transpose(position, order)
    views = []
    for tensor, fill in ((wide, float("-inf")), (position, 0)):
        padded = channels_last.pad_spatial(to_last(tensor), amounts, fill)
        views.append(channels_last.windows(padded, kernel_shape, strides, dilations))
    best = tf.argmax(views[0], 0)
    flat = [tf.transpose(v, [*range(1, v.shape.rank), 0]) for v in views]
    values, index = (tf.gather(v, best, batch_dims=best.shape.rank) for v in flat)
    return tf.cast(to_first(values), x.dtype), to_first(index)


@op("AveragePool", since=1)
def average_pool(
    X,
    *,
    auto_pad="NOTSET",
    ceil_mode=0,
    count_include_pad=0,
    dilations=None,
    kernel_shape,
    pads=None,
    strides=None,
):
    return to_first(
        channels_last.average_pool(
            to_last(X), auto_pad=auto_pad, ceil_mode=ceil_mode, dilations=dilations, pads=pads,
            count_include_pad=count_include_pad, kernel_shape=kernel_shape, strides=strides,
        )
    )


@op("LpPool", since=2)
def lp_pool(
    X,
    *,
    auto_pad="NOTSET",
    ceil_mode=0,
    dilations=None,
    kernel_shape,
    p=2,
    pads=None,
    strides=None,
):
    rank = len(kernel_shape)
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    sizes = dims(X)[2:]
    amounts = channels_last.resolve_pads(sizes, kernel_shape, strides, dilations, auto_pad, pads)
    amounts = channels_last.window_pads(sizes, kernel_shape, strides, dilations, amounts, ceil_mode)
    work = channels_last.pad_spatial(to_last(tf.abs(X) ** p), amounts)
    total = tf.reduce_sum(channels_last.windows(work, kernel_shape, strides, dilations), 0)
    return to_first(total ** (1 / p))


@op("GlobalAveragePool", since=1)
def global_average_pool(X):
    return tf.reduce_mean(X, list(range(2, X.shape.rank)), True)


@op("GlobalMaxPool", since=1)
def global_max_pool(X):
    return tf.reduce_max(X, list(range(2, X.shape.rank)), True)


@op("GlobalLpPool", since=2)
def global_lp_pool(X, *, p=2):
    return tf.reduce_sum(tf.abs(X) ** p, list(range(2, X.shape.rank)), True) ** (1 / p)


@op("MaxUnpool", since=9, host=("output_shape",))
def max_unpool(X, I, output_shape=None, *, kernel_shape, pads=None, strides=None):
    rank = len(kernel_shape)
    strides, pads = strides or (1,) * rank, pads or (0,) * 2 * rank
    sizes = dims(X)
    natural = [
        (sizes[i + 2] - 1) * strides[i] - pads[i] - pads[i + rank] + kernel_shape[i]
        for i in range(rank)
    ]
    whole = product([sizes[0], sizes[1], *natural])
    flat = tf.scatter_nd(tf.reshape(I, [-1, 1]), tf.reshape(X, [-1]), vector([whole]))
    result = tf.reshape(flat, vector([sizes[0], sizes[1], *natural]))
    if output_shape is None:
        return result
    wanted = tf.unstack(output_shape, rank + 2) if isinstance(output_shape, tf.Tensor) else output_shape
    amounts = [[0, 0], [0, 0], *([0, w - n] for w, n in zip(wanted[2:], natural, strict=True))]
    return tf.pad(result, tf.stack([tf.stack([tf.cast(v, tf.int64) for v in row]) for row in amounts]))


# ------------------------------------------------------------------ normalization


@op("BatchNormalization", since=7)
def batch_normalization_7(X, scale, B, mean, var, *, epsilon=1e-5, momentum=0.9):
    return (_normalized(X, scale, B, mean, var, epsilon),)


@op("BatchNormalization", since=14)
def batch_normalization_14(
    X, scale, B, input_mean, input_var, *, epsilon=1e-5, momentum=0.9, training_mode=0
):
    if not training_mode:
        return _normalized(X, scale, B, input_mean, input_var, epsilon), input_mean, input_var
    mean, var = tf.nn.moments(X, [axis for axis in range(X.shape.rank) if axis != 1])
    running_mean = input_mean * momentum + mean * (1 - momentum)
    running_var = input_var * momentum + var * (1 - momentum)
    return _normalized(X, scale, B, mean, var, epsilon), running_mean, running_var


def _normalized(x, scale, bias, mean, var, epsilon):
    shape = [1, -1] + [1] * (x.shape.rank - 2) if x.shape.rank > 1 else [-1]
    scale, bias, mean, var = (tf.reshape(tf.cast(t, x.dtype), shape) for t in (scale, bias, mean, var))
    factor = scale * tf.math.rsqrt(var + tf.cast(epsilon, x.dtype))
    return (x - mean) * factor + bias


@op("InstanceNormalization", since=6)
def instance_normalization(input, scale, B, *, epsilon=1e-5):
    mean, var = tf.nn.moments(input, list(range(2, input.shape.rank)), keepdims=True)
    shape = [1, -1] + [1] * (input.shape.rank - 2)
    normed = (input - mean) * tf.math.rsqrt(var + tf.cast(epsilon, input.dtype))
    return normed * tf.reshape(scale, shape) + tf.reshape(B, shape)


@op("LayerNormalization", since=17)
def layer_normalization(X, Scale, B=None, *, axis=-1, epsilon=1e-5, stash_type=1):
    axes = list(range(axis % X.shape.rank, X.shape.rank))
    wide = X if X.dtype in (tf.float32, tf.float64) else tf.cast(X, tf.float32)
    mean, var = tf.nn.moments(wide, axes, keepdims=True)
    inverse = tf.math.rsqrt(var + tf.cast(epsilon, wide.dtype))
    y = tf.cast((wide - mean) * inverse, X.dtype) * Scale
    return (y if B is None else y + B), mean, inverse


@op("RMSNormalization", since=23)
def rms_normalization(X, scale, *, axis=-1, epsilon=1e-5, stash_type=1):
    axes = list(range(axis % X.shape.rank, X.shape.rank))
    wide = X if X.dtype in (tf.float32, tf.float64) else tf.cast(X, tf.float32)
    square = tf.reduce_mean(tf.square(wide), axes, keepdims=True)
    normed = wide * tf.math.rsqrt(square + tf.cast(epsilon, wide.dtype))
    return tf.cast(tf.cast(normed, X.dtype) * tf.cast(scale, X.dtype), X.dtype)


def _group_normed(x, num_groups, epsilon):
    sizes = dims(x)
    grouped = tf.reshape(x, vector([sizes[0], num_groups, product(sizes[1:]) // num_groups]))
    mean, var = tf.nn.moments(grouped, [2], keepdims=True)
    return (grouped - mean) * tf.math.rsqrt(var + tf.cast(epsilon, x.dtype)), sizes


@op("GroupNormalization", since=18)
def group_normalization_18(X, scale, bias, *, epsilon=1e-5, num_groups):
    normed, sizes = _group_normed(X, num_groups, epsilon)
    return tf.reshape(normed * scale[None, :, None] + bias[None, :, None], vector(sizes))


@op("GroupNormalization", since=21)
def group_normalization_21(X, scale, bias, *, epsilon=1e-5, num_groups, stash_type=1):
    normed, sizes = _group_normed(X, num_groups, epsilon)
    shape = [1, -1] + [1] * (len(sizes) - 2)
    return tf.reshape(normed, vector(sizes)) * tf.reshape(scale, shape) + tf.reshape(bias, shape)


@op("LpNormalization", since=1)
def lp_normalization(input, *, axis=-1, p=2):
    norm = tf.norm(input, p, axis, keepdims=True)
    return tf.math.divide_no_nan(input, norm)  # ONNX gives zeros where the norm is zero


@op("LRN", since=1)
def lrn(X, *, alpha=1e-4, beta=0.75, bias=1.0, size):
    before, after = (size - 1) // 2, size // 2
    padded = tf.pad(tf.square(X), [[0, 0], [before, after]] + [[0, 0]] * (X.shape.rank - 2))
    count = dims(X)[1]
    total = tf.add_n([padded[:, i : i + count] for i in range(size)])
    return X / (bias + alpha / size * total) ** beta


@op("MeanVarianceNormalization", since=9)
def mean_variance_normalization(X, *, axes=(0, 2, 3)):
    mean = tf.reduce_mean(X, axes, True)
    deviation = tf.sqrt(tf.reduce_mean(X * X, axes, True) - mean * mean)
    return (X - mean) / (deviation + 1e-9)


@op("Dropout", since=7)
def dropout_7(data, *, ratio=0.5):
    return data, tf.ones_like(data, tf.bool)


@op("Dropout", since=12, either=("ratio", "training_mode"))
def dropout_12(data, ratio=None, training_mode=None, *, seed=None):
    on = False if training_mode is None else training_mode
    static = tf.get_static_value(on) if isinstance(on, tf.Tensor) else on
    if static is not None and not static:
        return data, tf.ones_like(data, tf.bool)
    ratio = tf.cast(0.5 if ratio is None else ratio, tf.float32)
    keep = (tf.random.uniform(tf.shape(data)) >= ratio) | ~tf.cast(on, tf.bool)
    factor = tf.where(tf.cast(on, tf.bool), 1 / (1 - ratio), 1.0)
    return tf.where(keep, data * tf.cast(factor, data.dtype), tf.zeros_like(data)), keep


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
    q_num_heads=None,
    qk_matmul_output_mode=0,
    scale=None,
    softcap=0.0,
    softmax_precision=None,
):
    """Multi-head, grouped or multi-query attention, composed as ONNX's function body says."""
    q, k, v = split_heads(Q, q_num_heads), split_heads(K, kv_num_heads), split_heads(V, kv_num_heads)
    past = 0
    if past_key is not None:
        past = dims(past_key)[2]
        k, v = tf.concat([past_key, k], 2), tf.concat([past_value, v], 2)
    bias = _bias(q, k, attn_mask, nonpad_kv_seqlen, is_causal, past)
    present = (k, v)
    if q.shape[1] != k.shape[1]:
        k, v = (tf.repeat(t, q.shape[1] // t.shape[1], axis=1) for t in (k, v))
    root = math.sqrt(1 / math.sqrt(q.shape[-1]) if scale is None else scale)
    scores = raw = tf.matmul(q * tf.cast(root, q.dtype), k * tf.cast(root, q.dtype), transpose_b=True)
    if softcap:
        scores = softcap * tf.tanh(scores / softcap)
    capped = scores
    scores = scores if bias is None else scores + bias
    weights = tf.cast(_softmax(scores, softmax_precision, bias is not None), q.dtype)
    y = tf.matmul(weights, v)
    chosen = {0: raw, 1: scores, 2: capped, 3: weights}[qk_matmul_output_mode]
    return join_heads(y, Q), *present, chosen


def _softmax(scores, precision, masked):
    from converter.rebuild.tensorflow.dtypes import to_framework

    wide = scores if precision is None else tf.cast(scores, to_framework(precision))
    weights = tf.nn.softmax(wide, -1)
    if not masked:
        return weights
    # A row that may look at nothing gives zeros, not NaN.
    nothing = tf.reduce_all(tf.math.is_inf(scores) & (scores < 0), -1, keepdims=True)
    return tf.where(nothing, tf.zeros_like(weights), weights)


def _bias(q, k, mask, lengths, is_causal, past):
    rows, columns = dims(q)[2], dims(k)[2]
    bias = None
    if mask is not None:
        lacking = columns - dims(mask)[-1]
        if not isinstance(lacking, int) or lacking > 0:
            fill = False if mask.dtype == tf.bool else -math.inf
            mask = _pad_columns(mask, lacking, fill)
        bias = _additive(mask, q.dtype) if mask.dtype == tf.bool else tf.cast(mask, q.dtype)
    steps = tf.range(tf.cast(columns, tf.int64))
    if lengths is not None:
        allowed = steps < tf.reshape(tf.cast(lengths, tf.int64), [-1, 1, 1, 1])
        bias = _plus(bias, _additive(allowed, q.dtype))
    if is_causal:
        row = tf.range(tf.cast(rows, tf.int64))[:, None] + past
        if lengths is not None:
            row = row + (tf.reshape(tf.cast(lengths, tf.int64), [-1, 1, 1, 1]) - rows)
        bias = _plus(bias, _additive(steps[None, :] <= row, q.dtype))
    return bias


def _pad_columns(mask, amount, fill):
    padding = [[0, 0]] * (mask.shape.rank - 1) + [[0, amount]]
    if isinstance(amount, tf.Tensor):
        padding = tf.stack([tf.stack([tf.cast(v, tf.int64) for v in row]) for row in padding])
    if mask.dtype == tf.bool:
        return tf.cast(tf.pad(tf.cast(mask, tf.int32), padding), tf.bool)
    return tf.pad(mask, padding, constant_values=tf.cast(fill, mask.dtype))


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
        cos_cache, sin_cache = tf.gather(cos_cache, position_ids), tf.gather(sin_cache, position_ids)
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
