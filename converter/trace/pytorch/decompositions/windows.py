"""Windows of signal processing; a window of one sample is 1.

`torch.onnx` writes ONNX's windows, which are 0 there, and whose Hamming window has other factors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def window(shape: Callable[..., Tensor], *numbers: float) -> Callable[..., Any]:
    """Return the decomposition of a window.

    Args:
        shape: from the places, counted as parts of the way from 0 to 1, to values.
        numbers: the defaults of the numbers that the user may choose.
    """

    def decomposition(
        count: Any, *chosen: Any, periodic: bool = True, dtype: Any = None, **_: Any
    ) -> Tensor:
        if chosen:
            periodic = chosen[0]
        dtype = dtype or torch.get_default_dtype()
        places = torch.arange(count, dtype=torch.float64)
        last = count if periodic else count - 1
        values = shape(places / last, *chosen[1:], *numbers[max(0, len(chosen) - 1) :])
        one = torch.scalar_tensor(count, dtype=torch.int64) == 1
        return torch.where(one, 1.0, values).to(dtype)

    return decomposition


def hann(part: Tensor) -> Tensor:
    return hamming(part, 0.5, 0.5)


def hamming(part: Tensor, alpha: float, beta: float) -> Tensor:
    return alpha - beta * torch.cos(part * (2 * math.pi))


def blackman(part: Tensor) -> Tensor:
    angle = part * (2 * math.pi)
    return 0.42 - 0.5 * torch.cos(angle) + 0.08 * torch.cos(2 * angle)


def bartlett(part: Tensor) -> Tensor:
    return 1 - (2 * part - 1).abs()


FORMS = {
    "hann": window(hann),
    "hamming": window(hamming, 0.54, 0.46),
    "blackman": window(blackman),
    "bartlett": window(bartlett),
}

DECOMPOSITIONS = {
    getattr(packet, overload): function
    for name, function in FORMS.items()
    for packet in [getattr(aten, f"{name}_window")]
    for overload in packet.overloads()
    if "out" not in overload
}
