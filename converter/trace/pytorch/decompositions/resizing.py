"""Interpolation by scales: the form that has sizes and scales, which our translations read."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def by_scales(interpolate: Any) -> Any:
    """Return a decomposition that calls ``interpolate`` with the sizes that the scales give."""

    def decomposition(x: Tensor, size: Any, align_corners: bool, scales: list[float] | None) -> Any:
        if scales is None or not all(isinstance(n, int) for n in x.shape[2:]):
            return NotImplemented
        size = [math.floor(n * scale) for n, scale in zip(x.shape[2:], scales, strict=True)]
        return interpolate(x, size, align_corners, *scales)

    return decomposition


DECOMPOSITIONS = {
    aten.upsample_linear1d.vec: by_scales(aten.upsample_linear1d.default),
    aten.upsample_bilinear2d.vec: by_scales(aten.upsample_bilinear2d.default),
    aten.upsample_trilinear3d.vec: by_scales(aten.upsample_trilinear3d.default),
}
