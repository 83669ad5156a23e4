"""Sums of products (`torch.einsum`) where an axis of one element stands for all of another's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def einsum(equation: str, operands: list[Tensor], *, path: Any = None) -> Any:
    """Repeat such axes; ONNX's ``Einsum`` wants one size for each letter."""
    terms = equation.replace(" ", "").split("->")[0].split(",")
    sizes: dict[str, Any] = {}
    axes = [letters(term, operand.dim()) for term, operand in zip(terms, operands, strict=True)]
    for names, operand in zip(axes, operands, strict=True):
        for axis, name in names.items():
            if not is_one(operand.shape[axis]):
                sizes[name] = operand.shape[axis]
    wanted = [
        [
            sizes.get(names.get(axis, ""), size) if is_one(size) else -1
            for axis, size in enumerate(operand.shape)
        ]
        for names, operand in zip(axes, operands, strict=True)
    ]
    pairs = list(zip(operands, wanted, strict=True))
    if all(is_one(size) or size == -1 for _, shape in pairs for size in shape):
        return NotImplemented
    spread = [operand.expand(shape) for operand, shape in pairs]
    return aten.einsum.default(equation, spread)


def letters(term: str, rank: int) -> dict[int, str]:
    """Return the letter of each axis that has one; the axes of ``...`` have none."""
    before, dots, after = term.partition("...")
    named = dict(enumerate(before))
    if dots:
        named |= {rank - len(after) + index: name for index, name in enumerate(after)}
    return named


def is_one(size: Any) -> bool:
    """Tell whether a size is 1 for sure; an open one is not."""
    return isinstance(size, int) and size == 1


DECOMPOSITIONS = {aten.einsum.default: einsum}
