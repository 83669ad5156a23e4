"""Sizes that a signature allows: inside of their ranges, and true to its conditions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from converter.expressions import holds, words_in
from converter.signature import DimRange, Signature

FARTHEST = 1024
"""How far from the size that was wished for another one is looked for."""

ROUNDS = 8
"""How often all conditions are gone through; one that was met may break by meeting another."""


def conditions_of(signature: Signature) -> tuple[str, ...]:
    """Return the signature's conditions, and that no size of an input falls below 1."""
    sizes = (dim for spec in signature.inputs for dim in spec.shape or () if isinstance(dim, str))
    implied = dict.fromkeys(f"{dim} >= 1" for dim in sizes if not dim.isidentifier())
    return (*signature.conditions, *implied)


def fits(signature: Signature, sizes: Mapping[str, int]) -> bool:
    """Tell whether sizes are true to all conditions whose words they have."""
    return not _broken(conditions_of(signature), sizes)


def nearest(signature: Signature, sizes: Mapping[str, int]) -> dict[str, int] | None:
    """Return allowed sizes near the given ones; ``None`` where none were found.

    Args:
        sizes: one for each dynamic dimension.
    """
    conditions = conditions_of(signature)
    found = dict(sizes)
    for _ in range(ROUNDS):
        broken = _broken(conditions, found)
        if not broken:
            return found
        if not _mend(broken[0], signature, found):
            return None
    return None


def _broken(conditions: tuple[str, ...], sizes: Mapping[str, int]) -> list[str]:
    known = (text for text in conditions if set(words_in(text)) <= set(sizes))
    return [text for text in known if not holds(text, sizes)]


def _mend(condition: str, signature: Signature, sizes: dict[str, int]) -> bool:
    """Change one word so that the condition holds; in place. Tells whether one was found."""
    for word in reversed(words_in(condition)):
        for size in _around(sizes[word], signature.dims.get(word, DimRange())):
            if holds(condition, {**sizes, word: size}):
                sizes[word] = size
                return True
    return False


def _around(size: int, allowed: DimRange) -> Iterator[int]:
    """Yield the sizes of a range by their distance from one, larger ones first."""
    low, high = max(1, allowed.minimum), allowed.maximum
    for step in range(1, FARTHEST):
        if high is None or size + step <= high:
            yield size + step
        if size - step >= low:
            yield size - step
