"""What the weight proof found: every parameter of the source in the target, or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Match(StrEnum):
    """How a weight of the source was found in the target.

    ``SAME``: bit by bit; ``PERMUTED``, ``CAST``, ``FOLDED``: bit by bit after a declared
    permutation, a declared cast, or folding with other weights done again; ``DIFFERENT``: a weight
    of that name has other values; ``MISSING``: there is none; ``UNUSED``: the source's graph does
    not read it; ``UNKNOWN``: a target without a record holds it in no form that can be told, which
    disproves nothing.
    """

    SAME = "same"
    PERMUTED = "permuted"
    CAST = "cast"
    FOLDED = "folded"
    DIFFERENT = "different"
    MISSING = "missing"
    UNUSED = "unused"
    UNKNOWN = "unknown"

    @property
    def failed(self) -> bool:
        """Whether this disproves the conversion."""
        return self in (Match.DIFFERENT, Match.MISSING)


@dataclass(frozen=True)
class WeightMatch:
    """One parameter or buffer of the source.

    Attributes:
        name: its name in the source.
        shape: its shape in the source.
        match: how it was found.
        counterpart: its name in the target, ``""`` if it was not found.
        permutation: ``stored = source.transpose(permutation)``, where it was permuted.
        reason: what is different, in words; ``""`` where nothing is.
    """

    name: str
    shape: tuple[int, ...]
    match: Match
    counterpart: str = ""
    permutation: tuple[int, ...] | None = None
    reason: str = ""


@dataclass(frozen=True)
class WeightProof:
    """All weights of the source, without running anything.

    Attributes:
        weights: by order in the source.
        extra: weights of the target that are none of the source's.
        note: why the proof could not be made, or what limits it; ``""`` if nothing does.
    """

    weights: tuple[WeightMatch, ...] = ()
    extra: tuple[str, ...] = ()
    note: str = field(default="")

    @property
    def passed(self) -> bool:
        """Whether no weight is missing or different."""
        return not any(item.match.failed for item in self.weights)
