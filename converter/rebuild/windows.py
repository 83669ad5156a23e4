"""Pads and numbers of windows for convolutions and pools, once for both frameworks.

A size is a Python integer or one of the framework's symbolic scalars (see `host_values`). Nothing
here decides anything by a size that is open: what is written down holds for all sizes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from converter.rebuild.host_values import is_plain, maximum, minimum

Size = Any
Pads = list[tuple[Size, Size]]
"""What is added before and after, per spatial axis."""


def resolve_pads(
    sizes: Sequence[Size],
    kernel: Sequence[Size],
    strides: Sequence[int],
    dilations: Sequence[int],
    auto_pad: str,
    pads: Sequence[int] | None,
) -> Pads:
    """Return the pads of a convolution or a pool from ONNX's attributes."""
    rank = len(kernel)
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        totals = map(_same_total, sizes, kernel, strides, dilations)
        return [_halves(total, auto_pad == "SAME_UPPER") for total in totals]
    if auto_pad == "VALID" or pads is None:
        return [(0, 0)] * rank
    return list(zip(pads[:rank], pads[rank:], strict=True))


def _same_total(size: Size, kernel: Size, stride: int, dilation: int) -> Size:
    """Return how much padding makes the output ``ceil(size / stride)`` long."""
    if stride == 1:
        return (kernel - 1) * dilation
    return maximum((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)


def _halves(total: Size, larger_behind: bool) -> tuple[Size, Size]:
    small = total // 2
    return (small, total - small) if larger_behind else (total - small, small)


def transposed_pads(
    sizes: Sequence[Size],
    reach: Sequence[Size],
    strides: Sequence[int],
    extra: Sequence[int],
    auto_pad: str,
    pads: Sequence[int] | None,
    output_shape: Sequence[int] | None,
) -> Pads:
    """Return what a transposed convolution cuts off its whole output (negative: adds to it).

    Args:
        reach: size of the dilated kernel.
        extra: ``output_padding``, which the result does not subtract.
        output_shape: the wanted sizes; it goes before ``auto_pad`` and ``pads``.
    """
    if output_shape is not None:
        wanted = output_shape[-len(reach) :]
        totals = [
            stride * (size - 1) + more + k - whole
            for size, k, stride, more, whole in zip(
                sizes, reach, strides, extra, wanted, strict=True
            )
        ]
    elif auto_pad in ("SAME_UPPER", "SAME_LOWER"):  # the output is size * stride long
        totals = [k + more - s for k, s, more in zip(reach, strides, extra, strict=True)]
    elif pads:
        return list(zip(pads[: len(reach)], pads[len(reach) :], strict=True))
    else:
        return [(0, 0)] * len(reach)
    return [_halves(total, auto_pad == "SAME_UPPER") for total in totals]


def window_count(
    size: Size, kernel: int, stride: int, dilation: int, begin: Size, end: Size, ceil_mode: int
) -> Size:
    """Return how many windows there are; one that would start in the end padding is none."""
    room = size + begin + end - (kernel - 1) * dilation - 1
    if not ceil_mode:
        return room // stride + 1
    return minimum(-(-room // stride) + 1, -(-(size + begin) // stride))


def window_pads(
    sizes: Sequence[Size],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Pads,
    ceil_mode: int,
) -> Pads:
    """Return pads with which floor mode gives ONNX's number of windows."""
    if not ceil_mode:
        return pads
    result = []
    for size, k, s, d, (begin, end) in zip(sizes, kernel, strides, dilations, pads, strict=True):
        count = window_count(size, k, s, d, begin, end, ceil_mode)
        needed = (count - 1) * s + (k - 1) * d + 1 - size - begin
        result.append((begin, maximum(end, needed)))
    return result


def nothing(pads: Pads) -> bool:
    """Tell whether the pads are known to be 0."""
    return all(is_plain(p) and p == 0 for pair in pads for p in pair)


def symmetric(pads: Pads) -> bool:
    """Tell whether both sides of every axis are known before the run, and the same."""
    return all(is_plain(a) and is_plain(b) and a == b for a, b in pads)
