"""Sizes and source positions of ONNX's `Resize`, once for both frameworks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from converter.rebuild.host_values import cast_scalar, is_plain, maximum, minimum

INT64, DOUBLE = 7, 11


@dataclass(frozen=True)
class Stretch:
    """How one axis is resized. Numbers are Python's, or the framework's symbolic scalars.

    Attributes:
        size: the input's size.
        length: the output's size.
        scale: about ``length / size``.
        exact: the scale is ``length / size`` itself, whatever rounding has made of it on the way.
    """

    size: Any
    length: Any
    scale: Any
    exact: bool


def stretches(
    own: Sequence[Any],
    scales: Sequence[Any] | None,
    sizes: Sequence[Any] | None,
    policy: str,
) -> list[Stretch]:
    """Return how each axis is resized from `Resize`'s inputs.

    Args:
        own: the input's sizes on these axes.
        policy: ``keep_aspect_ratio_policy``.
    """
    if sizes is None:
        return [_by_scale(size, scale) for size, scale in zip(own, scales or (), strict=True)]
    ratios = [_ratio(length, size) for size, length in zip(own, sizes, strict=True)]
    if policy == "stretch":
        return [Stretch(n, m, s, True) for n, m, s in zip(own, sizes, ratios, strict=True)]
    ratio = functools.reduce(minimum if policy == "not_larger" else maximum, ratios)
    lengths = [cast_scalar(ratio * cast_scalar(n, DOUBLE) + 0.5, INT64) for n in own]
    return [Stretch(n, m, ratio, False) for n, m in zip(own, lengths, strict=True)]


def _ratio(length: Any, size: Any) -> Any:
    if is_plain(size) and size == 0:
        return 1.0  # of nothing, whatever the scale
    return length / size


def _by_scale(size: Any, scale: Any) -> Stretch:
    if not is_plain(scale):
        return Stretch(size, cast_scalar(cast_scalar(size, DOUBLE) * scale, INT64), scale, False)
    if scale == int(scale):
        return Stretch(size, size * int(scale), scale, True)
    if is_plain(size):
        length = int(np.float32(size) * np.float32(scale))  # as ONNX infers the shape
        exact = size > 0 and np.float32(length / size) == np.float32(scale)
        return Stretch(size, length, scale, bool(exact))
    # In integers, with the decimal number that the float32 stands for: 10 * 0.7 is 7, and
    # `torch.export` fixes a size that comes out of a float.
    decimal = Fraction(str(np.float32(scale)))
    return Stretch(size, size * decimal.numerator // decimal.denominator, scale, False)


def slack(stretch: Stretch) -> float:
    """Return by which share of itself a position may be off.

    A nearest position that lies so near to a whole or a half number is that number: a framework may
    multiply with a reciprocal where the text divides, and a scale is rounded to float32.
    """
    return 1e-9 if stretch.exact else 6e-8


def coordinates(
    x: Any, stretch: Stretch, roi: tuple[Any, Any] | None, mode: str, where: Callable[..., Any]
) -> Any:
    """Return the source coordinate of each output position, by ONNX's formulas for `Resize`.

    Args:
        x: output positions as float64, ``[length]``.
        stretch: with float64 scalars of the framework in place of Python's numbers.
        roi: start and end on this axis, for ``tf_crop_and_resize``.
        where: the framework's choice by a condition.
    """
    size, length, scale = stretch.size, stretch.length, stretch.scale
    # By the sizes where the scale is their quotient: 300 rows to 30 take row 30 for 3, but
    # 3 divided by the float32 nearest to 0.1 lies below 30.
    whole = length if stretch.exact else scale * size

    def back(place: Any) -> Any:
        return place * size / length if stretch.exact else place / scale

    if mode == "asymmetric":
        return back(x)
    if mode == "align_corners":
        return where(whole == 1, 0 * x, x * (size - 1) / (whole - 1))
    if mode == "tf_crop_and_resize":
        # By the output's whole length: so have it ONNX's text, ONNX Runtime and TensorFlow's
        # `crop_and_resize`. onnx.reference takes ``scale * size``, which is a fraction where
        # the scale is; the published cases have no such scale.
        start, end = roi or (0.0, 1.0)
        inside = start * (size - 1) + x * (end - start) * (size - 1) / (length - 1)
        return where(length > 1, inside, 0 * x + 0.5 * (start + end) * (size - 1))
    half = back(x + 0.5) - 0.5
    if mode == "pytorch_half_pixel":
        return where(whole == 1, 0 * x - 0.5, half)
    if mode == "half_pixel_symmetric":
        return size / 2 * (1 - length / whole) + half
    return half
