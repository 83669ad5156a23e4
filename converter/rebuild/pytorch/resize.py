"""Handlers of the room `tensor`: Resize in all of its modes, Upsample, GridSample, AffineGrid.

Resize is done one axis at a time: for each output position the source coordinate, the taps around
it and their weights, as in ONNX's reference; the common cases use PyTorch's own kernels.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch.fx.experimental.symbolic_shapes import statically_known_true

from converter.rebuild.host_values import is_plain, maximum
from converter.rebuild.positions import Stretch, coordinates, slack, stretches
from converter.rebuild.pytorch.table import op
from converter.rebuild.pytorch.unsigned import select


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
    transform = coordinate_transformation_mode
    crop = transform == "tf_crop_and_resize"
    axes = [axis % X.dim() for axis in (axes or range(X.dim()))]
    own = [X.shape[axis] for axis in axes]
    steps = stretches(own, scales or None, sizes or None, keep_aspect_ratio_policy)
    roi = roi or (0.0,) * len(axes) + (1.0,) * len(axes)
    if not crop and not antialias and not exclude_outside:
        fast = _kernel(X, dict(zip(axes, steps, strict=True)), mode, transform, cubic_coeff_a)
        if fast is not None:
            return fast
    y = X if mode == "nearest" else X.to(_precise(X.dtype))
    outside = None
    for i, (axis, step) in enumerate(zip(axes, steps, strict=True)):
        if not crop and _stays(step):
            continue
        where = source_of(step, (roi[i], roi[i + len(axes)]), transform, X.device)
        if mode == "nearest":
            y = select(y, axis, nearest(where, nearest_mode, slack(step)).clamp(0, step.size - 1))
        else:
            index, share = taps(where, step, mode, antialias, cubic_coeff_a, exclude_outside)
            y = _weighted(y, axis, index.clamp(0, step.size - 1), share.to(y.dtype))
        if crop:
            bad = (where < 0) | (where > step.size - 1)
            bad = bad.reshape(-1, *(1,) * (X.dim() - 1 - axis))
            outside = bad if outside is None else outside | bad
    if outside is not None:
        y = torch.where(outside, torch.full_like(y, extrapolation_value), y)
    if mode != "nearest" and not X.is_floating_point():
        info = torch.iinfo(X.dtype)
        y = y.round().clamp(info.min, info.max)
    return y.to(X.dtype)


def _precise(dtype):
    """Return the type to interpolate in: float32 would round integers past 2^24."""
    wide = dtype == torch.float64 or not dtype.is_floating_point
    return torch.float64 if wide else torch.float32


def _stays(step):
    """Tell whether an axis is known to stay as it is."""
    if not is_plain(step.scale):
        return known(step.length == step.size)
    return step.scale == 1


def known(condition):
    """Tell whether a condition on sizes holds for all of them, without a guard in a program."""
    if isinstance(condition, torch.Tensor):
        return bool(condition)
    return statically_known_true(condition)


def _weighted(y, axis, index, share):
    """Add up what each output is made of, tap by tap; ``index`` and ``share`` ``[length, taps]``.

    Not a product with a matrix: that takes ``length * size``, and guards against sizes of 1 in an
    exported program.
    """
    beside = (slice(None), *(None,) * (y.dim() - 1 - axis))
    if not is_plain(index.shape[1]):  # antialiasing over an open number of positions
        picked = y.index_select(axis, index.flatten())
        weighted = (picked * share.flatten()[beside]).movedim(axis, 0)
        table = weighted.reshape(*index.shape, *weighted.shape[1:])
        return table.sum(1).movedim(0, axis)
    parts = zip(index.unbind(1), share.unbind(1), strict=True)
    return sum(y.index_select(axis, i) * s[beside] for i, s in parts)


def _kernel(x, steps, mode, transform, a):
    """Use PyTorch's own interpolation where it computes the same; ``None`` where not."""
    spatial = list(range(2, x.dim()))
    if not x.is_floating_point() or x.dim() < 3 or x.dim() > 5:
        return None
    if any(not _stays(steps[axis]) for axis in (0, 1) if axis in steps):
        return None
    resized = [steps[axis] for axis in spatial if axis in steps]
    if transform not in ("align_corners", "half_pixel") or not all(s.exact for s in resized):
        return None
    sizes = [steps[axis].length if axis in steps else x.shape[axis] for axis in spatial]
    corners = transform == "align_corners"
    if mode == "linear":
        kernel = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(spatial)]
        return F.interpolate(x, sizes, mode=kernel, align_corners=corners)
    if mode == "cubic" and len(spatial) == 2 and a == -0.75:
        return F.interpolate(x, sizes, mode="bicubic", align_corners=corners)
    return None


def source_of(step, span, mode, device):
    """Return the source coordinate of each output position, ``[length]`` in float64.

    Numbers become tensors: a GPU would multiply with the reciprocal of a Python number.
    """

    def scalar(x):
        if isinstance(x, torch.Tensor):
            return x.to(device=device, dtype=torch.float64)
        return torch.scalar_tensor(x, dtype=torch.float64, device=device)

    x = torch.arange(step.length, dtype=torch.float64, device=device)
    numbers = Stretch(*map(scalar, (step.size, step.length, step.scale)), step.exact)
    roi = (scalar(span[0]), scalar(span[1]))
    return coordinates(x, numbers, roi, mode, torch.where)


def nearest(where, mode, share):
    """Round source coordinates to positions; they may be off by a share of themselves (`slack`)."""
    tie = torch.round(where * 2) / 2
    where = torch.where((where - tie).abs() <= share * (1 + tie.abs()), tie, where)
    if mode == "floor":
        return torch.floor(where).long()
    if mode == "ceil":
        return torch.ceil(where).long()
    if mode == "round_prefer_ceil":
        return torch.floor(where + 0.5).long()
    return torch.ceil(where - 0.5).long()


def taps(where, step, mode, antialias, a, exclude_outside):
    """Return positions and shares, both ``[length, taps]``, of what each output is made of."""
    stretch = maximum(1.0, 1.0 / step.scale) if antialias else 1.0
    count = 2 * math.ceil((1 if mode == "linear" else 2) * stretch)
    first = torch.floor(where).long() - count // 2 + 1
    index = first[:, None] + torch.arange(count, device=where.device)
    distance = ((where[:, None] - index) / stretch).abs()
    share = _linear(distance) if mode == "linear" else _cubic(distance, a)
    if exclude_outside:
        share = torch.where((index >= 0) & (index < step.size), share, 0.0)
    if exclude_outside or antialias:
        total = share.sum(1, keepdim=True)
        share = torch.where(total == 0, 0.0, share / total)
    return index, share


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
    if any(is_plain(length) and length == 0 for length in size):  # PyTorch refuses them
        return theta.new_zeros((size[0], *size[2:], len(size) - 2))
    return F.affine_grid(theta, list(size), bool(align_corners))
