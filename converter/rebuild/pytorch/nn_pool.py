"""Handlers of the room `nn`: pooling."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from converter.rebuild.host_values import is_plain
from converter.rebuild.pytorch.nn_conv import flat_pads
from converter.rebuild.pytorch.reduction import amax
from converter.rebuild.pytorch.table import op
from converter.rebuild.windows import (
    nothing,
    resolve_pads,
    symmetric,
    window_count,
    window_pads,
)

MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


def padded(x, kernel, strides, dilations, pads, ceil_mode, fill):
    """Pad so that floor mode gives ONNX's number of windows."""
    amounts = window_pads(x.shape[2:], kernel, strides, dilations, pads, ceil_mode)
    return x if nothing(amounts) else F.pad(x, flat_pads(amounts), value=fill)


def fits_the_kernel(pads, kernel):
    """Tell whether PyTorch's pools take these pads: symmetric, and at most half a window."""
    return symmetric(pads) and all(p <= k // 2 for (p, _), k in zip(pads, kernel, strict=True))


def _is_empty(x):
    return any(is_plain(size) and size == 0 for size in x.shape)


def _of_nothing(x, kernel, strides, dilations, pads, ceil_mode, fill):
    """Pool what holds no element, of which every window has ``fill``: the kernels refuse it."""
    counts = [
        window_count(size, k, s, d, begin, end, ceil_mode)
        for size, k, s, d, (begin, end) in zip(
            x.shape[2:], kernel, strides, dilations, pads, strict=True
        )
    ]
    return x.new_full((*x.shape[:2], *counts), fill)


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
    rank = len(kernel_shape)
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    amounts = resolve_pads(X.shape[2:], kernel_shape, strides, dilations, auto_pad, pads)
    if _is_empty(X):
        fill = -math.inf if X.is_floating_point() else torch.iinfo(X.dtype).min
        y = _of_nothing(X, kernel_shape, strides, dilations, amounts, ceil_mode, fill)
        return (y, y.new_zeros(y.shape, dtype=torch.int64))[:n_outputs]
    plain = n_outputs == 1 and not ceil_mode and X.is_floating_point()
    if plain and fits_the_kernel(amounts, kernel_shape):
        begins = tuple(begin for begin, _ in amounts)
        return (MAX_POOL[rank](X, kernel_shape, strides, begins, dilations),)
    wide = X if X.is_floating_point() else X.double()
    work = padded(wide, kernel_shape, strides, dilations, amounts, ceil_mode, -math.inf)
    values, index = MAX_POOL[rank](work, kernel_shape, strides, 0, dilations, return_indices=True)
    if n_outputs == 1:
        return (values.to(X.dtype),)
    begins = [begin for begin, _ in amounts]
    return values.to(X.dtype), _global_index(index, X.shape, work.shape[2:], begins, storage_order)


def _global_index(index, shape, padded_sizes, begins, storage_order):
    """Turn positions in the padded planes into positions in the whole unpadded tensor."""
    sizes, coordinates, rest = shape[2:], [], index
    for size in reversed(padded_sizes):
        coordinates.insert(0, rest % size)
        rest = rest // size
    coordinates = [c - b for c, b in zip(coordinates, begins, strict=True)]
    order = range(len(sizes)) if not storage_order else reversed(range(len(sizes)))
    flat = torch.zeros_like(index)
    for axis in order:
        flat = flat * sizes[axis] + coordinates[axis]
    planes = torch.arange(shape[0] * shape[1], device=index.device)
    planes = planes.reshape(shape[0], shape[1], *(1,) * len(sizes))
    return flat + planes * math.prod(sizes)


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
    rank = len(kernel_shape)
    strides, dilations = strides or (1,) * rank, dilations or (1,) * rank
    amounts = resolve_pads(X.shape[2:], kernel_shape, strides, dilations, auto_pad, pads)
    if _is_empty(X):
        fill = 0.0 if count_include_pad else math.nan
        return _of_nothing(X, kernel_shape, strides, dilations, amounts, ceil_mode, fill)
    if not ceil_mode and set(dilations) == {1} and fits_the_kernel(amounts, kernel_shape):
        begins = tuple(begin for begin, _ in amounts)
        pool = AVERAGE_POOL[rank]
        return pool(X, kernel_shape, strides, begins, False, bool(count_include_pad))
    # Sum and count apart: what counts is the real input, with its declared padding if asked.
    ones = torch.ones_like(X[:1, :1])
    if count_include_pad:
        ones = F.pad(ones, flat_pads(amounts), value=1.0)
    work = padded(X, kernel_shape, strides, dilations, amounts, ceil_mode, 0.0)
    lacking = [w - o for w, o in zip(work.shape[2:], ones.shape[2:], strict=True)]
    before = [0 if count_include_pad else begin for begin, _ in amounts]
    after = [total - b for total, b in zip(lacking, before, strict=True)]
    count = F.pad(ones, flat_pads(list(zip(before, after, strict=True))))
    total = _window_sum(work, kernel_shape, strides, dilations)
    return total / _window_sum(count, kernel_shape, strides, dilations)


def _window_sum(x, kernel, strides, dilations):
    """Sum over every window, by a view per axis."""
    for axis, (k, s, d) in enumerate(zip(kernel, strides, dilations, strict=True)):
        windows = x.unfold(axis + 2, (k - 1) * d + 1, s)
        x = windows[..., ::d].sum(-1)
    return x


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
    amounts = resolve_pads(X.shape[2:], kernel_shape, strides, dilations, auto_pad, pads)
    if _is_empty(X):
        return _of_nothing(X, kernel_shape, strides, dilations, amounts, ceil_mode, 0.0)
    work = padded(X.abs() ** p, kernel_shape, strides, dilations, amounts, ceil_mode, 0.0)
    return _window_sum(work, kernel_shape, strides, dilations) ** (1 / p)


@op("GlobalAveragePool", since=1)
def global_average_pool(X):
    return X.mean(tuple(range(2, X.dim())), keepdim=True)


@op("GlobalMaxPool", since=1)
def global_max_pool(X):
    return amax(X, tuple(range(2, X.dim())), True)


@op("GlobalLpPool", since=2)
def global_lp_pool(X, *, p=2):
    axes = tuple(range(2, X.dim()))
    return (X.abs() ** p).sum(axes, keepdim=True) ** (1 / p)


@op("MaxUnpool", since=9, host=("output_shape",))
def max_unpool(X, I, output_shape=None, *, kernel_shape, pads=None, strides=None):
    rank = len(kernel_shape)
    strides, pads = strides or (1,) * rank, pads or (0,) * 2 * rank
    natural = [
        (size - 1) * s - pads[i] - pads[i + rank] + k
        for i, (size, s, k) in enumerate(zip(X.shape[2:], strides, kernel_shape, strict=True))
    ]
    flat = torch.zeros(X.shape[0] * X.shape[1] * math.prod(natural), dtype=X.dtype, device=X.device)
    result = flat.scatter(0, I.reshape(-1), X.reshape(-1)).reshape(*X.shape[:2], *natural)
    if output_shape is None:
        return result
    ends = [wanted - size for wanted, size in zip(output_shape[2:], natural, strict=True)]
    return F.pad(result, flat_pads([(0, end) for end in ends]))
