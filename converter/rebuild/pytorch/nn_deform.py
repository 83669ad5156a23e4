"""Handlers of the room `nn`: deformable convolution, `Col2Im`."""

from __future__ import annotations

import math
from itertools import product

import torch
import torch.nn.functional as F

from converter.rebuild.pytorch.nn_conv import flat_pads
from converter.rebuild.pytorch.table import op


@op("DeformConv", since=19)
def deform_conv(
    X,
    W,
    offset,
    B=None,
    mask=None,
    *,
    dilations=None,
    group=1,
    kernel_shape=None,
    offset_group=1,
    pads=None,
    strides=None,
):
    """Convolve at positions moved by ``offset``, scaled by ``mask`` (Zhu et al. 2018)."""
    if X.dim() != 4:
        raise NotImplementedError(f"DeformConv of an input of rank {X.dim()}")
    batch, channels = X.shape[:2]
    kernel, sizes = tuple(W.shape[2:]), tuple(offset.shape[2:])
    taps = kernel[0] * kernel[1]
    dilations, strides, pads = dilations or (1, 1), strides or (1, 1), pads or (0, 0, 0, 0)
    where = _regular(kernel, sizes, dilations, strides, pads, X)
    where = where + offset.reshape(batch * offset_group, taps, 2, *sizes)
    images = X.reshape(batch * offset_group, channels // offset_group, *X.shape[2:])
    samples = _bilinear(images, *where.flatten(3).unbind(2))
    samples = samples.reshape(batch, offset_group, channels // offset_group, taps, *sizes)
    if mask is not None:
        samples = samples * mask.reshape(batch, offset_group, 1, taps, *sizes)
    columns = samples.reshape(batch, group, channels // group * taps, math.prod(sizes))
    weight = W.reshape(group, W.shape[0] // group, -1)
    result = torch.einsum("gok,ngkl->ngol", weight, columns).reshape(batch, W.shape[0], *sizes)
    return result if B is None else result + B.reshape(1, -1, 1, 1)


def _regular(kernel, sizes, dilations, strides, pads, x):
    """Return where a plain convolution looks, ``[taps, 2, height, width]``."""
    axes = []
    for axis in (0, 1):
        steps = torch.arange(sizes[axis], dtype=x.dtype, device=x.device) * strides[axis]
        taps = torch.arange(kernel[axis], dtype=x.dtype, device=x.device) * dilations[axis]
        axes.append(taps[:, None] + steps - pads[axis])  # [kernel, size]
    y = axes[0][:, None, :, None].expand(*kernel, *sizes)
    return torch.stack((y, axes[1][None, :, None, :].expand_as(y)), 2).reshape(
        math.prod(kernel), 2, *sizes
    )


def _bilinear(images, y, x):
    """Sample ``[n, channels, height, width]`` at ``[n, taps, positions]``; outside is zero."""
    height, width = images.shape[2:]
    flat, shape = images.flatten(2), (*images.shape[:2], -1)
    result = 0
    for dy, dx in product((0, 1), (0, 1)):
        row, column = y.floor() + dy, x.floor() + dx
        share = (1 - (y - row).abs()) * (1 - (x - column).abs())
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        place = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
        index = place.long().flatten(1)[:, None].expand(shape)
        result = result + flat.gather(2, index) * (share * inside).flatten(1)[:, None]
    return result


@op("Col2Im", since=18, host=("image_shape", "block_shape"))
def col2_im(input, image_shape, block_shape, *, dilations=None, pads=None, strides=None):
    """Add up overlapping blocks: ``[N, channels * block, blocks]`` to ``[N, channels, *image]``."""
    rank = len(image_shape)
    dilations, strides = dilations or (1,) * rank, strides or (1,) * rank
    pads = pads or (0,) * 2 * rank
    whole = [size + pads[i] + pads[i + rank] for i, size in enumerate(image_shape)]
    counts = [
        (size - d * (k - 1) - 1) // s + 1
        for size, d, k, s in zip(whole, dilations, block_shape, strides, strict=True)
    ]
    batch = input.shape[0]
    blocks = input.reshape(batch, input.shape[1] // math.prod(block_shape), *block_shape, *counts)
    image = input.new_zeros((batch, blocks.shape[1], *whole))
    for tap in product(*map(range, block_shape)):
        spans = zip(tap, dilations, strides, counts, strict=True)
        index = tuple(slice(t * d, t * d + s * (n - 1) + 1, s) for t, d, s, n in spans)
        image[(slice(None), slice(None), *index)] += blocks[(slice(None), slice(None), *tap)]
    cut = [-p for p in flat_pads(list(zip(pads[:rank], pads[rank:], strict=True)))]
    return F.pad(image, cut) if any(cut) else image
