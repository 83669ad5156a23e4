"""Padding by negative numbers, which takes elements away, in modes that repeat or mirror."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def cropped_first(pad: Any) -> Any:
    """Return a decomposition that takes away first and calls ``pad`` for what is added."""

    def decomposition(x: Tensor, padding: list[Any]) -> Any:
        if not any(isinstance(side, int) and side < 0 for side in padding):
            return NotImplemented
        for index in range(0, len(padding), 2):
            axis = x.dim() - 1 - index // 2
            left, right = max(0, -padding[index]), max(0, -padding[index + 1])
            if left or right:
                x = x.narrow(axis, left, x.shape[axis] - left - right)
        return pad(x, [max(0, side) for side in padding])

    return decomposition


def cropped_last(pad: Any) -> Any:
    """Return a decomposition that adds first: what is mirrored is the whole, not what is left."""

    def decomposition(x: Tensor, padding: list[Any]) -> Any:
        if not any(isinstance(side, int) and side < 0 for side in padding):
            return NotImplemented
        whole = pad(x, [max(0, side) for side in padding])
        for index in range(0, len(padding), 2):
            axis = x.dim() - 1 - index // 2
            left, right = max(0, -padding[index]), max(0, -padding[index + 1])
            if left or right:
                whole = whole.narrow(axis, left, whole.shape[axis] - left - right)
        return whole

    return decomposition


def mirrored(x: Tensor, pad: list[Any], mode: str = "constant", value: Any = None) -> Any:
    """Padding as a whole, which stays one call where nobody takes it apart."""
    if mode != "reflect":
        return NotImplemented
    return cropped_last(lambda x, sides: aten.pad(x, sides, mode, value))(x, pad)


DECOMPOSITIONS = (
    {aten.pad.default: mirrored}
    | {
        operator: cropped_last(operator)
        for operator in (
            aten.reflection_pad1d.default,
            aten.reflection_pad2d.default,
            aten.reflection_pad3d.default,
        )
    }
    | {
        operator: cropped_first(operator)
        for operator in (
            aten.replication_pad1d.default,
            aten.replication_pad2d.default,
            aten.replication_pad3d.default,
        )
    }
)
