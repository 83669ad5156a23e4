"""Where the elements of one tensor lie in another: found by bits, exact or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import permutations
from math import prod

import numpy as np

MOST_AXES = 5
"""Tensors with more axes longer than 1 are compared in their own order alone."""

_SAMPLE = 64
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Piece:
    """How a tensor, or a part of it, is read off one of the target's.

    Attributes:
        target: name of the target's tensor.
        shape: what the target's part is reshaped to,
        order: how its axes are transposed then,
        final: and the shape that it ends in.
        block: merged to two axes (all but the last one, the last one), the target is cut along
            ``block[0]`` into ``block[1]`` equal parts, of which this is number ``block[2]``;
            ``None``: all of it.
    """

    target: str
    shape: tuple[int, ...]
    order: tuple[int, ...]
    final: tuple[int, ...]
    block: tuple[int, int, int] | None = None

    def read(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the elements in the source's order, from arrays of the target's shapes."""
        array = arrays[self.target]
        if self.block is not None:
            axis, count, index = self.block
            array = np.split(merged(array), count, axis)[index]
        return array.reshape(self.shape).transpose(self.order).reshape(self.final)


@dataclass(frozen=True)
class Found:
    """A tensor of the source in the target: its pieces, joined along the source's first axis.

    Attributes:
        pieces: in the source's order; usually one.
        permutation: ``stored = source.transpose(permutation)`` where that alone says it all.
    """

    pieces: tuple[Piece, ...]
    permutation: tuple[int, ...] | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the target's tensors, each once."""
        return tuple(dict.fromkeys(piece.target for piece in self.pieces))

    def read(self, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the source's tensor, from arrays of the target's shapes."""
        parts = [piece.read(arrays) for piece in self.pieces]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def merged(array: np.ndarray) -> np.ndarray:
    """Return an array with two axes: all but the last one, and the last one."""
    size = array.shape[-1] if array.ndim else 1
    return array.reshape(-1, size) if size else array.reshape(0, 0)


def as_integers(bits: np.ndarray) -> np.ndarray:
    """Return the elements as unsigned integers: NaN is equal to itself, and -0 is not 0."""
    if bits.dtype.kind == "c":  # pairs: the halves become an axis of their own
        return np.ascontiguousarray(bits).view(f"u{bits.itemsize // 2}")
    return bits.view(f"u{bits.itemsize}")


def equal(x: np.ndarray, y: np.ndarray) -> bool:
    """Tell whether two arrays have the same shape, width and bits."""
    if x.shape != y.shape or x.itemsize != y.itemsize:
        return False
    return bool(np.array_equal(as_integers(x), as_integers(y)))


Fingerprint = tuple[int, int, int, int]


def fingerprint(bits: np.ndarray) -> Fingerprint:
    """Return width, count, sum and exclusive-or of the elements: the same in any order."""
    flat = as_integers(np.ascontiguousarray(bits)).reshape(-1)
    total = int(np.sum(flat, dtype=np.uint64))
    return bits.itemsize, bits.size, total, int(np.bitwise_xor.reduce(flat, initial=0))


def place(source: np.ndarray, target: np.ndarray, name: str) -> Found | None:
    """Find the source's elements in a target's tensor of as many: permuted, or reshaped as well.

    Returns:
        The simplest way: as it is, then a permutation of the axes, then with axes split or merged.
    """
    source, target = as_integers(source), as_integers(target)
    for piece, permutation in ways(source.shape, target.shape, name):
        if _same_sample(source, target, piece) and np.array_equal(
            piece.read({name: target}), source
        ):
            return Found((piece,), permutation)
    return None


def ways(
    source: tuple[int, ...], target: tuple[int, ...], name: str
) -> Iterator[tuple[Piece, tuple[int, ...] | None]]:
    """Yield how a target's tensor may be read as the source's, with the permutation if it is one.

    Nothing where the numbers of elements differ.
    """
    if prod(source) != prod(target):
        return
    rank = len(source)
    if sorted(source) == sorted(target) and rank <= MOST_AXES:
        for stored in permutations(range(rank)):
            if tuple(source[axis] for axis in stored) == target:
                order = tuple(map(int, np.argsort(stored)))
                yield Piece(name, target, order, source), stored
    elif source == target:
        yield Piece(name, target, tuple(range(rank)), source), tuple(range(rank))
    mine = tuple(size for size in source if size != 1)
    theirs = tuple(size for size in target if size != 1)
    if len(mine) <= MOST_AXES:
        for stored in permutations(range(len(mine))):
            shape = tuple(mine[axis] for axis in stored)
            order = tuple(map(int, np.argsort(stored)))
            yield Piece(name, shape, order, source), None
    if len(mine) < len(theirs) <= MOST_AXES:
        for order in permutations(range(len(theirs))):
            yield Piece(name, theirs, order, source), None


def _same_sample(source: np.ndarray, target: np.ndarray, piece: Piece) -> bool:
    """Compare a few elements before all of them."""
    if source.size <= _SAMPLE:
        return True
    view = target.reshape(piece.shape).transpose(piece.order)  # reshaping it further would copy
    positions = np.linspace(0, source.size - 1, _SAMPLE).astype(np.int64)
    theirs = view[np.unravel_index(positions, view.shape)]
    mine = source[np.unravel_index(positions, source.shape)]
    return bool(np.array_equal(mine, theirs))
