"""Whether two values are the same but for rounding, whatever their layout.

Errors are measured element by element, relative to ``|element| + rms``, where ``rms`` is the root
mean square of the reference's elements below 1e4. So neither the mask's -3e38 in a row of attention
scores hides an error in the scores, nor does an element near zero exaggerate one.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

FLOOR = 3e-13
"""Relative error that the order of float64 sums explains, where nothing else is known."""

SAFETY = 32.0
"""How many times the noise of one perturbation an error may be."""

HUGE = 1e4
"""Elements above this are masks and the like, and say nothing of the size of the others."""

MOST_AXES = 6
"""Axes (of size above 1) up to which all their orders are tried."""

Layout = tuple[str, tuple[int, ...], tuple[int, ...]]
"""How a value of b lies to the reference's: ``("same", (), ())``, ``("permuted", permutation,
shape)``, that is ``reference.squeeze().permute(permutation).reshape(shape)``, or
``("scrambled", (), ())``, where only the elements are the same, in an order nobody knows."""

SAME: Layout = ("same", (), ())
SCRAMBLED: Layout = ("scrambled", (), ())


@dataclass(frozen=True)
class Found:
    """A value of the reference that a value of b equals.

    Attributes:
        error: largest relative error.
        limit: largest one that passes.
        layout: how the two lie to each other.
    """

    error: float
    limit: float
    layout: Layout


def flat(value: Any) -> torch.Tensor | None:
    """Return all elements in one row, in float64; ``None`` for texts and absent values."""
    if isinstance(value, list):
        rows = [flat(item) for item in value]
        if any(row is None for row in rows):
            return None
        return torch.cat(rows) if rows else torch.empty(0, dtype=torch.float64)  # type: ignore
    if not isinstance(value, torch.Tensor):
        return None
    if value.is_complex():
        value = torch.view_as_real(value)
    return value.detach().reshape(-1).to(torch.float64)


def scale_of(reference: torch.Tensor) -> torch.Tensor:
    """Return what errors are relative to, for each element; ``reference`` is in one row."""
    size = reference.abs()
    finite = torch.where(torch.isfinite(size), size, 0.0)
    usual = finite[finite < HUGE]
    usual = usual if bool((usual > 0).any()) else finite
    rms = math.sqrt(float(usual.square().mean())) if usual.numel() else 0.0
    return finite + (rms or 1.0)


def error_of(
    reference: torch.Tensor, value: torch.Tensor, scale: torch.Tensor | None = None
) -> float:
    """Return the largest relative error; infinite where one is finite and the other is not."""
    if not reference.numel():
        return 0.0
    same = (reference == value) | (reference.isnan() & value.isnan())
    if bool(same.all()):
        return 0.0
    error = torch.where(
        same, 0.0, (value - reference).abs() / (scale_of(reference) if scale is None else scale)
    )
    return float(torch.nan_to_num(error, nan=math.inf, posinf=math.inf).max())


def compare(reference: Any, value: Any, limit: float) -> Found | None:
    """Return how two values agree within a relative error, or ``None``."""
    a, b = flat(reference), flat(value)
    if a is None or b is None:
        return Found(0.0, limit, SAME) if _same_text(reference, value) else None
    if a.numel() != b.numel() or not _alike(a, b, limit):
        return None
    if (error := error_of(a, b)) <= limit:
        return Found(error, limit, _in_order(reference, value))
    if isinstance(reference, list) or isinstance(value, list):
        return None
    return _permuted(reference, value, limit) or _scrambled(a, b, limit)


def _same_text(reference: Any, value: Any) -> bool:
    if reference is None or value is None:
        return reference is value
    return isinstance(reference, np.ndarray) and np.array_equal(reference, value)


def _alike(a: torch.Tensor, b: torch.Tensor, limit: float) -> bool:
    """Refuse early: the norms of equal elements are equal, in whatever order."""
    first, second = fingerprint(a), fingerprint(b)
    slack = (limit + FLOOR) * 4
    return all(
        x == y or abs(x - y) <= slack * max(abs(x), abs(y), 1e-300) * math.sqrt(max(a.numel(), 1))
        for x, y in zip(first, second, strict=True)
    )


def fingerprint(row: torch.Tensor) -> tuple[float, float]:
    """Return two numbers that no order of the elements changes: sum of sizes, and norm."""
    size = torch.nan_to_num(row.abs(), nan=0.0, posinf=0.0)
    size = torch.where(size < 1e30, size, 0.0)
    return float(size.sum()), float(size.norm())


def _in_order(reference: Any, value: Any) -> Layout:
    if isinstance(reference, list) or isinstance(value, list):
        return SAME if isinstance(reference, list) and isinstance(value, list) else SCRAMBLED
    if reference.shape == value.shape:
        return SAME
    return ("permuted", tuple(range(reference.squeeze().dim())), tuple(value.shape))


def _permuted(reference: torch.Tensor, value: torch.Tensor, limit: float) -> Found | None:
    """Find an order of the axes in which the elements are the same."""
    plain = reference.squeeze()
    if not 2 <= plain.dim() <= MOST_AXES:
        return None
    b, whole = flat(value), flat(plain)
    assert b is not None
    assert whole is not None
    scale = scale_of(whole).reshape(plain.shape)
    target = [size for size in value.shape if size > 1]
    orders = itertools.permutations(range(plain.dim()))
    next(orders)  # as they are: compared already
    for order in orders:
        shape = [plain.shape[axis] for axis in order]
        if shape != target and plain.dim() > 4:
            continue
        turned = plain.permute(order)
        sizes = scale.permute(order)
        head, a = flat(turned[0]), flat(turned)
        assert head is not None
        assert a is not None
        if error_of(head, b[: head.numel()], sizes[0].reshape(-1)) > limit:
            continue
        if (error := error_of(a, b, sizes.reshape(-1))) <= limit:
            return Found(error, limit, ("permuted", tuple(order), tuple(value.shape)))
    return None


def _scrambled(a: torch.Tensor, b: torch.Tensor, limit: float) -> Found | None:
    if a.numel() < 8:  # so few are the same by chance
        return None
    error = error_of(a.sort().values, b.sort().values)
    return Found(error, limit, SCRAMBLED) if error <= limit else None


def laid_out(reference: Any, layout: Layout) -> Any:
    """Return the reference's value in b's layout.

    Raises:
        ValueError: nobody knows the order.
    """
    kind, order, shape = layout
    if kind == "same":
        return reference
    if kind == "scrambled":
        raise ValueError("the order of the elements is not known")
    return reference.squeeze().permute(order).reshape(shape)
