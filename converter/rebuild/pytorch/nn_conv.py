"""Handlers of the room `nn`: convolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from converter.rebuild.pytorch.table import op

CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def same_pads(sizes, kernel, strides, dilations, auto_pad):
    """Return ``(begins, ends)`` that make the output ``ceil(size / stride)`` long."""
    begins, ends = [], []
    for size, k, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        total = (-(-size // stride) - 1) * stride + (k - 1) * dilation + 1 - size
        total = max(total, 0) if isinstance(total, int) else torch.sym_max(total, 0)
        small, large = total // 2, total - total // 2
        begins.append(large if auto_pad == "SAME_LOWER" else small)
        ends.append(small if auto_pad == "SAME_LOWER" else large)
    return begins, ends


def resolve_pads(sizes, kernel, strides, dilations, auto_pad, pads):
    """Return ``(begins, ends)`` from ONNX's attributes."""
    rank = len(kernel)
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        return same_pads(sizes, kernel, strides, dilations, auto_pad)
    if auto_pad == "VALID" or pads is None:
        return [0] * rank, [0] * rank
    return list(pads[:rank]), list(pads[rank:])


def flat_pads(begins, ends):
    """Return pads as `F.pad` takes them: last axis first."""
    return [p for pair in zip(reversed(begins), reversed(ends), strict=True) for p in pair]


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
    begins, ends = resolve_pads(X.shape[2:], W.shape[2:], strides, dilations, auto_pad, pads)
    if begins != ends:
        X, begins = F.pad(X, flat_pads(begins, ends)), [0] * rank
    if rank not in CONV:
        return torch.convolution(X, W, B, strides, begins, dilations, False, [0] * rank, group)
    return CONV[rank](X, W, B, strides, tuple(begins), dilations, group)


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
    begins, ends = _transposed_pads(
        X.shape[2:], reach, strides, extra, auto_pad, pads, output_shape
    )
    # Without padding the output is whole; ONNX's pads cut it, output_padding prolongs its end.
    result = CONV_TRANSPOSE[rank](X, W, B, strides, 0, 0, group, dilations)
    amounts = [-p for p in flat_pads(begins, [e - x for e, x in zip(ends, extra, strict=True)])]
    if not any(amounts):
        return result
    if B is not None and any(x > e for x, e in zip(extra, ends, strict=True)):
        # What is added behind the last product still has the bias.
        bare = CONV_TRANSPOSE[rank](X, W, None, strides, 0, 0, group, dilations)
        return F.pad(bare, amounts) + B.reshape(-1, *(1,) * rank)
    return F.pad(result, amounts)


def _transposed_pads(sizes, reach, strides, extra, auto_pad, pads, output_shape):
    rank = len(reach)
    if output_shape is None and auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        output_shape = [size * stride for size, stride in zip(sizes, strides, strict=True)]
    if output_shape is None:
        return (list(pads[:rank]), list(pads[rank:])) if pads else ([0] * rank, [0] * rank)
    begins, ends = [], []
    for size, k, stride, x, wanted in zip(
        sizes, reach, strides, extra, output_shape[-rank:], strict=True
    ):
        total = stride * (size - 1) + x + k - wanted
        small, large = total // 2, total - total // 2
        begins.append(small if auto_pad == "SAME_UPPER" else large)
        ends.append(large if auto_pad == "SAME_UPPER" else small)
    return begins, ends


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
