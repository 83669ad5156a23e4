"""Interpolation with the scales that the user gave; `torch.onnx` reads the sizes alone.

With scales PyTorch samples at ``(i + 0.5) / scale - 0.5``; from sizes alone it would be
``out / in`` in the place of the scale, which differs where ``in * scale`` is no whole number. With
``align_corners`` only the sizes count, and an axis that keeps its size is left alone by linear
interpolation, whatever its scale.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
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


def by_factors(**options: Any) -> Callable[..., Any]:
    """Return the translation of an overload that takes factors in the place of sizes.

    It is what an open size leaves: the size of the result is ``floor(in * factor)``.
    """

    def translation(
        x: Any, size: Any, align_corners: bool, factors: Sequence[float] | None = None
    ) -> Any:
        from onnxscript import opset19

        op: Any = opset19
        if factors is None or size is not None:
            return write(x, size, align_corners, [None], **options)
        if not align_corners:
            rule = {"coordinate_transformation_mode": "half_pixel"}
            scales = op.Constant(value_floats=[1.0, 1.0, *factors])
            return op.Resize(x, None, scales, None, **options, **rule)
        exact = op.Constant(value=ir.tensor(np.array(factors, np.float64)))
        before = op.Cast(op.Shape(x, start=2), to=int(ir.DataType.DOUBLE))
        return write(x, op.Floor(op.Mul(before, exact)), True, [None], **options)

    return translation


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    aten.upsample_linear1d.default: linear_1d,
    aten.upsample_bilinear2d.default: linear_2d,
    aten.upsample_trilinear3d.default: linear_3d,
    aten.upsample_bicubic2d.default: cubic,
    aten.upsample_linear1d.vec: by_factors(mode="linear"),
    aten.upsample_bilinear2d.vec: by_factors(mode="linear"),
    aten.upsample_trilinear3d.vec: by_factors(mode="linear"),
    aten.upsample_bicubic2d.vec: by_factors(mode="cubic", cubic_coeff_a=-0.75),
    aten._upsample_bilinear2d_aa.default: smooth_linear,
    aten._upsample_bicubic2d_aa.default: smooth_cubic,
}
