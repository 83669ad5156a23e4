"""Equal parts of tensors: gates, directions, heads and projections that a target keeps together.

Frameworks order the gates of a recurrent layer differently and store them stacked or side by side;
each gate's bits stay together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from verify.proof.held import Weight
from verify.proof.placement import Found, Piece, fingerprint, merged, place

COUNTS = (2, 3, 4, 6, 8)
"""Parts into which a tensor may be cut: three or four gates, two directions, and both."""

Block = tuple[str, tuple[int, int, int] | None]


class Blocks:
    """All parts of a target's tensors by their fingerprints."""

    def __init__(self, weights: Mapping[str, Weight]) -> None:
        self.weights = weights
        self.index: dict = {}
        for name, weight in weights.items():
            if not weight.is_float or weight.bits.size < 2:
                continue
            for block, bits in cuts(weight.bits):
                self.index.setdefault(fingerprint(bits), []).append((name, block))

    def find(self, weight: Weight) -> tuple[Found, str] | None:
        """Find a weight, whole or cut along its first axis, among the parts.

        Returns:
            Where it is and what was done, in words.
        """
        length = weight.shape[0] if weight.shape else 0
        for count in (1, *(count for count in (2, 3, 4) if length and length % count == 0)):
            parts = np.split(weight.bits, count) if count > 1 else [weight.bits]
            if parts[0].size < 2:
                return None
            if pieces := self._pieces(parts, weight.dtype):
                return Found(pieces), _words(pieces, count)
        return None

    def _pieces(self, parts: list[np.ndarray], dtype: str) -> tuple[Piece, ...]:
        pieces: list[Piece] = []
        for part in parts:
            piece = self._piece(part, dtype, {(p.target, p.block) for p in pieces})
            if piece is None:
                return ()
            pieces.append(piece)
        return tuple(pieces)

    def _piece(self, part: np.ndarray, dtype: str, taken: set[Block]) -> Piece | None:
        known = self.index.get(fingerprint(part), [])
        for name, block in sorted(known, key=lambda item: item in taken):
            if self.weights[name].dtype != dtype:
                continue
            bits = self.weights[name].bits
            if block is not None:
                bits = np.split(merged(bits), block[1], block[0])[block[2]]
            if found := place(part, bits, name):
                piece = found.pieces[0]
                return Piece(name, piece.shape, piece.order, piece.final, block)
        return None


def cuts(bits: np.ndarray) -> Iterator[tuple[tuple[int, int, int] | None, np.ndarray]]:
    """Yield a tensor itself and its equal parts along both axes of its matrix."""
    yield None, bits
    matrix = merged(bits)
    for axis in (0, 1):
        for count in COUNTS:
            if matrix.shape[axis] >= count and matrix.shape[axis] % count == 0:
                for index, part in enumerate(np.split(matrix, count, axis)):
                    if part.size > 1:
                        yield (axis, count, index), part


def _words(pieces: tuple[Piece, ...], count: int) -> str:
    targets = ", ".join(dict.fromkeys(piece.target for piece in pieces))
    if count == 1:
        block = pieces[0].block
        assert block is not None  # a whole tensor would have been found before
        return f"part {block[2] + 1} of {block[1]} of {targets}"
    order = [str(piece.block[2]) if piece.block else "whole" for piece in pieces]
    return f"its {count} parts are {targets}'s parts {', '.join(order)}"
