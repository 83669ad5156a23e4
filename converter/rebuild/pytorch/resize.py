"""Handlers of the room `tensor`: Resize in all of its modes, Upsample, GridSample, AffineGrid.

Resize is done one axis at a time: for each output position the source coordinate, the taps around
it and their weights, as in ONNX's reference; the common cases use PyTorch's own kernels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from converter.rebuild.pytorch.table import op


@op("Upsample", since=7)
def upsample_7(X, *, scales, mode="nearest"):
    return upsample_9(X, scales, mode=mode)


@op("Upsample", since=9, host=("scales",))
def upsample_9(X, scales, *, mode="nearest"):
    return resize_11(
        X,
        None,
        scales,
        None,
        mode=mode,
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


@op("Resize", since=10, host=("scales",))
def resize_10(X, scales, *, mode="nearest"):
    return upsample_9(X, scales, mode=mode)


@op("Resize", since=11, host=("roi", "scales", "sizes"))
def resize_11(
    X,
    roi=None,
    scales=None,
    sizes=None,
    *,
    antialias=0,
    axes=None,
    coordinate_transformation_mode="half_pixel",
    cubic_coeff_a=-0.75,
    exclude_outside=0,
    extrapolation_value=0.0,
    keep_aspect_ratio_policy="stretch",
    mode="nearest",
    nearest_mode="round_prefer_floor",
):
    axes = [axis % X.dim() for axis in (axes or range(X.dim()))]
    scales = None if scales is not None and len(scales) == 0 else scales
    lengths, scales = target_sizes(X, axes, scales, sizes, keep_aspect_ratio_policy)
    roi = roi or (0.0,) * len(axes) + (1.0,) * len(axes)
    crop = coordinate_transformation_mode == "tf_crop_and_resize"
    transform = coordinate_transformation_mode
    if not crop and not antialias and not exclude_outside:
        fast = _kernel(X, axes, lengths, scales, mode, transform, cubic_coeff_a)
        if fast is not None:
            return fast
    dtype = X.dtype
    y = X.double() if dtype == torch.float64 else X.float()
    outside = None
    for i, axis in enumerate(axes):
        size, length, scale = X.shape[axis], lengths[i], scales[i]
        if scale == 1 and length == size and not crop:
            continue
        span = (roi[i], roi[i + len(axes)])
        where = coordinates(length, size, scale, span, coordinate_transformation_mode, X.device)
        if mode == "nearest":
            y = y.index_select(axis, nearest(where, nearest_mode).clamp(0, size - 1))
        else:
            table = weights(where, size, scale, mode, antialias, cubic_coeff_a, exclude_outside)
            y = torch.matmul(
                table.to(y.dtype), y.movedim(axis, -2 if y.dim() > 1 else 0) if y.dim() > 1 else y
            )
            y = y.movedim(-2, axis) if y.dim() > 1 else y
        if crop:
            bad = (where < 0) | (where > size - 1)
            bad = bad.reshape(-1, *(1,) * (X.dim() - 1 - axis))
            outside = bad if outside is None else outside | bad
    if outside is not None:
        y = torch.where(outside, torch.full_like(y, extrapolation_value), y)
    if not dtype.is_floating_point:
        info = torch.iinfo(dtype)
        y = y.round().clamp(info.min, info.max)
    return y.to(dtype)


def target_sizes(x, axes, scales, sizes, policy):
    """Return output lengths and scales per axis."""
    own = [x.shape[axis] for axis in axes]
    if sizes is None:
        return [math.floor(n * s) for n, s in zip(own, scales, strict=True)], list(scales)
    ratios = [s / n for n, s in zip(own, sizes, strict=True)]
    if policy == "stretch":
        return list(sizes), ratios
    ratio = (min if policy == "not_larger" else max)(ratios)
    return [math.floor(ratio * n + 0.5) for n in own], [ratio] * len(own)


def _kernel(x, axes, lengths, scales, mode, transform, a):
    """Use PyTorch's own interpolation where it computes the same; ``None`` where not."""
    spatial = list(range(2, x.dim()))
    if not x.is_floating_point() or x.dim() < 3 or x.dim() > 5:
        return None
    full = {axis: (n, s) for axis, n, s in zip(axes, lengths, scales, strict=True)}
    if any(full.get(axis, (0, 1))[1] != 1 for axis in (0, 1)):
        return None
    sizes = [full[axis][0] if axis in full else x.shape[axis] for axis in spatial]
    exact = all(full[axis][1] * x.shape[axis] == full[axis][0] for axis in spatial if axis in full)
    corners = transform == "align_corners"
    if not exact or not (corners or transform == "half_pixel") or (corners and 1 in sizes):
        return None
    if mode == "linear":
        kernel = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(spatial)]
        return F.interpolate(x, sizes, mode=kernel, align_corners=corners)
    if mode == "cubic" and len(spatial) == 2 and a == -0.75 and 1 not in sizes:
        return F.interpolate(x, sizes, mode="bicubic", align_corners=corners)
    return None


def coordinates(length, size, scale, roi, mode, device):
    """Return the source coordinate of each output position, by ONNX's formulas for ``Resize``."""
    x = torch.arange(length, dtype=torch.float64, device=device)
    if mode == "asymmetric":
        return x / scale
    if mode == "align_corners":
        whole = scale * size
        return x * (size - 1) / (whole - 1) if whole != 1 else torch.zeros_like(x)
    if mode == "tf_crop_and_resize":
        start, end = roi
        if length > 1:
            return start * (size - 1) + x * (end - start) * (size - 1) / (length - 1)
        return x * 0 + 0.5 * (start + end) * (size - 1)
    if mode == "pytorch_half_pixel":
        return (x + 0.5) / scale - 0.5 if scale * size > 1 else x * 0 - 0.5
    if mode == "half_pixel_symmetric":
        adjustment = length / (scale * size)
        return size / 2 * (1 - adjustment) + (x + 0.5) / scale - 0.5
    return (x + 0.5) / scale - 0.5


def nearest(where, mode):
    """Round source coordinates to positions."""
    if mode == "floor":
        return torch.floor(where).long()
    if mode == "ceil":
        return torch.ceil(where).long()
    if mode == "round_prefer_ceil":
        return torch.floor(where + 0.5).long()
    return torch.ceil(where - 0.5).long()


def weights(where, size, scale, mode, antialias, a, exclude_outside):
    """Return the matrix ``[length, size]`` of each input position's share of each output."""
    stretch = max(1.0, 1.0 / scale) if antialias else 1.0
    reach = (1 if mode == "linear" else 2) * stretch
    taps = 2 * math.ceil(reach)
    first = torch.floor(where).long() - taps // 2 + 1
    index = first[:, None] + torch.arange(taps, device=where.device)
    distance = ((where[:, None] - index) / stretch).abs()
    share = _linear(distance) if mode == "linear" else _cubic(distance, a)
    if exclude_outside:
        share = torch.where((index >= 0) & (index < size), share, torch.zeros_like(share))
    if exclude_outside or antialias:
        share = share / share.sum(1, keepdim=True)
    table = torch.zeros(len(where), size, dtype=share.dtype, device=where.device)
    return table.scatter_add(1, index.clamp(0, size - 1), share)


def _linear(d):
    return (1 - d).clamp(min=0)


def _cubic(d, a):
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))


_GRID = {"bilinear": "bilinear", "linear": "bilinear", "nearest": "nearest"}
_GRID |= {"bicubic": "bicubic", "cubic": "bicubic"}


@op("GridSample", since=16)
def grid_sample(X, grid, *, align_corners=0, mode="bilinear", padding_mode="zeros"):
    return F.grid_sample(X, grid, _GRID[mode], padding_mode, bool(align_corners))


@op("AffineGrid", since=20, host=("size",))
def affine_grid(theta, size, *, align_corners=0):
    return F.affine_grid(theta, list(size), bool(align_corners))
