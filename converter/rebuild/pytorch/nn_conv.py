"""Handlers of the room `nn`: convolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from converter.rebuild.host_values import is_plain
from converter.rebuild.pytorch.table import op
from converter.rebuild.windows import (
    nothing,
    resolve_pads,
    symmetric,
    transposed_pads,
    window_count,
)

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def flat_pads(pads):
    """Return pads ``[(before, after), ...]`` as `F.pad` takes them: last axis first."""
    return [p for pair in reversed(pads) for p in pair]


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
    rank = X.dim() - 2
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    amounts = resolve_pads(X.shape[2:], W.shape[2:], strides, dilations, auto_pad, pads)
    counts = [
        window_count(size, kernel, stride, dilation, begin, end, 0)
        for size, kernel, stride, dilation, (begin, end) in zip(
            X.shape[2:], W.shape[2:], strides, dilations, amounts, strict=True
        )
    ]
    if any(is_plain(size) and size == 0 for size in (*X.shape, *counts)):
        return _of_nothing(X, W, B, counts)
    begins = [begin for begin, _ in amounts]
    if not symmetric(amounts):
        X, begins = F.pad(X, flat_pads(amounts)), [0] * rank
    if rank not in CONV:
        return torch.convolution(X, W, B, strides, begins, dilations, False, [0] * rank, group)
    return CONV[rank](X, W, B, strides, tuple(begins), dilations, group)


def _of_nothing(x, w, b, counts):
    """Convolve what holds or gives no element: PyTorch's kernel refuses planes of none.

    Args:
        counts: how many windows there are along each axis.
    """
    y = x.new_zeros((x.shape[0], w.shape[0], *counts))
    return y if b is None else y + b.reshape(-1, *(1,) * len(counts))


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
    rank = X.dim() - 2
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    extra = output_padding or (0,) * rank
    reach = [(k - 1) * d + 1 for k, d in zip(W.shape[2:], dilations, strict=True)]
    cuts = transposed_pads(X.shape[2:], reach, strides, extra, auto_pad, pads, output_shape)

    def whole(bias):
        if not any(is_plain(size) and size == 0 for size in X.shape):
            return CONV_TRANSPOSE[rank](X, W, bias, strides, 0, 0, group, dilations)
        sizes = [s * (n - 1) + r for n, s, r in zip(X.shape[2:], strides, reach, strict=True)]
        y = X.new_zeros((X.shape[0], W.shape[1] * group, *sizes))  # PyTorch refuses no rows
        return y if bias is None else y + bias.reshape(-1, *(1,) * rank)

    # Without padding the output is whole; ONNX's pads cut it, output_padding prolongs its end.
    result = whole(B)
    amounts = [(-begin, x - end) for (begin, end), x in zip(cuts, extra, strict=True)]
    if nothing(amounts):
        return result
    grows = any(not is_plain(p) or p > 0 for pair in amounts for p in pair)
    if B is not None and grows:
        # What is added beside the products still has the bias.
        return F.pad(whole(None), flat_pads(amounts)) + B.reshape(-1, *(1,) * rank)
    return F.pad(result, flat_pads(amounts))


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
    x, w = x.double(), w.double()
    if x_zero_point is not None:
        x = x - x_zero_point.double()
    if w_zero_point is not None:
        zero = w_zero_point.double()
        w = w - (zero.reshape(-1, *(1,) * (w.dim() - 1)) if zero.dim() else zero)
    return conv(
        x, w, auto_pad=auto_pad, dilations=dilations, group=group, pads=pads, strides=strides
    ).to(torch.int32)
