"""A target of which a record says how each weight is stored: every bit must be where it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from verify.arrays import numpy_dtype
from verify.proof.difference import difference
from verify.proof.held import Holding, Weight
from verify.proof.placement import Found, Piece, equal, fingerprint
from verify.report.proof import Match, WeightMatch


def check(a: Holding, b: Holding) -> tuple[list[WeightMatch], dict[str, Found]]:
    """Compare each weight of a with that of the same name in b, permutations undone.

    Returns:
        A match for each weight of a, and where b holds it, for those that it has.
    """
    mine, theirs = a.in_source_layout(), b.in_source_layout()
    known = {alias: name for name, weight in theirs.items() for alias in weight.aliases}
    by_content: dict = {}
    for weight in mine.values():
        by_content.setdefault(fingerprint(weight.bits), []).append(weight)
    matches, found = [], {}
    for name, weight in mine.items():
        names = (name, *weight.aliases)
        other = next((n for n in names if n in theirs), None)
        other = other or next((known[n] for n in names if n in known), None)
        if other is None:
            reason = "the target has no weight of this name"
            matches.append(WeightMatch(name, weight.shape, Match.MISSING, reason=reason))
            continue
        order = (b.permutations or {}).get(other)
        match, reason = _match(weight, theirs[other], order is not None, by_content)
        matches.append(WeightMatch(name, weight.shape, match, other, order, reason))
        found[name] = _found(other, b.weights[other].shape, order)
    return matches, found


def reading(a: Holding, b: Holding) -> Holding:
    """Return a in the layout that b's record starts from.

    Where a is itself the result of a conversion, b may have been made of the same source as a, or
    of a as it is stored: whichever has more weights that are the same bit by bit.
    """
    stored = replace(a, permutations={} if a.recorded else None)
    return max((a, stored), key=lambda held: _same(held, b)) if a.permutations else a


def _same(a: Holding, b: Holding) -> int:
    theirs = b.in_source_layout()
    mine = a.in_source_layout().items()
    return sum(name in theirs and equal(weight.bits, theirs[name].bits) for name, weight in mine)


def _match(weight: Weight, other: Weight, permuted: bool, by_content: dict) -> tuple[Match, str]:
    if weight.dtype == other.dtype and equal(weight.bits, other.bits):
        return (Match.PERMUTED if permuted else Match.SAME), ""
    if weight.dtype != other.dtype and weight.shape == other.shape and _widened(weight, other):
        return Match.CAST, ""
    return Match.DIFFERENT, difference(weight, other, by_content)


def _widened(weight: Weight, other: Weight) -> bool:
    """Tell whether b holds a's values in a wider dtype, from which they can be had back."""
    if not (weight.is_float and other.is_float) or other.bits.itemsize < weight.bits.itemsize:
        return False
    back = other.values().astype(numpy_dtype(weight.dtype))
    same = back.astype(other.values().dtype) == other.values()
    return bool(np.all(same)) and bool(np.array_equal(back, weight.values()))


def _found(name: str, shape: tuple[int, ...], order: tuple[int, ...] | None) -> Found:
    """Return how the recorded permutation is undone."""
    if order is None or len(order) != len(shape):
        plain = tuple(range(len(shape)))
        return Found((Piece(name, shape, plain, shape),), plain)
    inverse = tuple(map(int, np.argsort(order)))
    return Found((Piece(name, shape, inverse, tuple(shape[axis] for axis in inverse)),), order)
