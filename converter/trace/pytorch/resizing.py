"""Interpolation with the scales that the user gave; `torch.onnx` reads the sizes alone.

With scales PyTorch samples at ``(i + 0.5) / scale - 0.5``; from sizes alone it would be
``out / in`` in the place of the scale, which differs where ``in * scale`` is no whole number. With
``align_corners`` only the sizes count, and an axis that keeps its size is left alone by linear
interpolation, whatever its scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

aten = torch.ops.aten


def write(
    x: Any, size: Any, align_corners: bool, scales: Sequence[float | None], **options: Any
) -> Any:
    """Write ONNX's ``Resize`` down, by scales where all are given and count."""
    from onnxscript import opset19

    op: Any = opset19
    rule = "align_corners" if align_corners else "half_pixel"
    options |= {"coordinate_transformation_mode": rule}
    if not align_corners and all(scale is not None for scale in scales):
        kept = [
            options["mode"] == "linear" and a == b for a, b in zip(x.shape[2:], size, strict=True)
        ]
        used = [1.0 if keep else scale for keep, scale in zip(kept, scales, strict=True)]
        factors = op.Constant(value_floats=[1.0, 1.0, *used])
        return op.Resize(x, None, factors, None, **options)
    sizes = op.Concat(op.Shape(x, start=0, end=2), op.Cast(size, to=7), axis=0)
    return op.Resize(x, None, None, sizes, **options)


def linear(x: Any, size: Any, align_corners: bool, *scales: float | None) -> Any:
    return write(x, size, align_corners, scales, mode="linear")


def linear_1d(x: Any, size: Any, align_corners: bool, scales: float | None = None) -> Any:
    return linear(x, size, align_corners, scales)


def linear_2d(
    x: Any, size: Any, align_corners: bool, h: float | None = None, w: float | None = None
) -> Any:
    return linear(x, size, align_corners, h, w)


def linear_3d(
    x: Any, size: Any, align_corners: bool,
    d: float | None = None, h: float | None = None, w: float | None = None,
) -> Any:  # fmt: skip
    return linear(x, size, align_corners, d, h, w)


def cubic(
    x: Any, size: Any, align_corners: bool, h: float | None = None, w: float | None = None
) -> Any:
    return write(x, size, align_corners, (h, w), mode="cubic", cubic_coeff_a=-0.75)


def smooth_linear(
    x: Any, size: Any, align_corners: bool, h: float | None = None, w: float | None = None
) -> Any:
    """Antialiased: what lies outside of the input has no weight."""
    return write(x, size, align_corners, (h, w), mode="linear", antialias=1, exclude_outside=1)


def smooth_cubic(
    x: Any, size: Any, align_corners: bool, h: float | None = None, w: float | None = None
) -> Any:
    """Antialiased: PyTorch's kernel is another one then."""
    options = {"antialias": 1, "exclude_outside": 1, "cubic_coeff_a": -0.5}
    return write(x, size, align_corners, (h, w), mode="cubic", **options)


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    aten.upsample_linear1d.default: linear_1d,
    aten.upsample_bilinear2d.default: linear_2d,
    aten.upsample_trilinear3d.default: linear_3d,
    aten.upsample_bicubic2d.default: cubic,
    aten._upsample_bilinear2d_aa.default: smooth_linear,
    aten._upsample_bicubic2d_aa.default: smooth_cubic,
}
