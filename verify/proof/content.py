"""A target without a record: weights are looked for by what they hold, wherever that is.

In turn: the same bits in the same or another order, the same in another dtype, in parts of other
tensors (gates of recurrent layers, stacked directions, projections side by side), and folded into
neighbours (`folds`). What is found nowhere disproves nothing, because a target may hold it in a
form that cannot be told (quantised, computed in advance); only a clear counterpart with other
values does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from verify.arrays import numpy_dtype, to_bits
from verify.proof.blocks import Blocks
from verify.proof.difference import difference
from verify.proof.held import Holding, Weight
from verify.proof.placement import Found, as_integers, fingerprint, place, ways
from verify.report.proof import Match, WeightMatch

if TYPE_CHECKING:
    import onnx_ir as ir

NEARLY = 0.9
"""Share of equal elements from which a tensor is taken for a spoilt copy."""

FLOATS = ("float64", "float32", "bfloat16", "float16")


def search(
    a: Holding, b: Holding, graph: Callable[[], ir.Model | None] | None
) -> tuple[list[WeightMatch], dict[str, Found], str]:
    """Look for each weight of a among all tensors of b.

    Returns:
        A match for each weight of a, where b holds those that were found, and a note.
    """
    hunt = _Hunt(a.in_source_layout(), b.in_source_layout())
    for step in (hunt.same, hunt.cast, hunt.parts):
        for weight in hunt.left():
            step(weight)
    if any(weight.is_float and weight.bits.size > 1 for weight in hunt.left()):
        known = graph() if graph is not None else None
        if known is not None:
            hunt.folds(known)
    hunt.confirm()
    for weight in hunt.left():
        hunt.compare(weight)
    found = {name: _stored(item, b) for name, item in hunt.found.items()}
    return [hunt.matches[name] for name in hunt.a], found, hunt.note()


def _stored(found: Found, b: Holding) -> Found:
    """Read through the permutations that b's own record tells."""
    if not b.permutations:
        return found
    from dataclasses import replace

    from verify.proof.placement import Piece

    pieces = []
    for piece in found.pieces:
        order = b.permutations.get(piece.target)
        shape = b.weights[piece.target].shape
        plain = piece.order == tuple(range(len(piece.order))) and piece.block is None
        if order is None:
            pieces.append(piece)
        elif plain:
            pieces.append(Piece(piece.target, shape, tuple(map(int, np.argsort(order))),
                                piece.final))  # fmt: skip
        else:
            return replace(found, pieces=())
    return replace(found, pieces=tuple(pieces))


@dataclass
class _Hunt:
    """What was found so far."""

    a: dict[str, Weight]
    b: dict[str, Weight]
    matches: dict[str, WeightMatch] = field(default_factory=dict)
    found: dict[str, Found] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.prints = {name: fingerprint(weight.bits) for name, weight in self.b.items()}
        self.index: dict = {}
        for name, mark in self.prints.items():
            self.index.setdefault(mark, []).append(name)
        self.names = {plain(name): name for name in self.b}
        self.used: set[str] = set()
        self.blocks: Blocks | None = None
        self.own: dict = {}
        for weight in self.a.values():
            self.own.setdefault(fingerprint(weight.bits), []).append(weight)

    def left(self) -> list[Weight]:
        """Return the weights that are not found yet."""
        return [weight for name, weight in self.a.items() if name not in self.matches]

    def counterpart(self, weight: Weight) -> str:
        """Return b's tensor of the same name, ``""`` if there is none."""
        names = (plain(name) for name in (weight.name, *weight.aliases))
        return next((self.names[name] for name in names if name in self.names), "")

    def settle(
        self, weight: Weight, match: Match, found: Found, reason: str = "", name: str = ""
    ) -> None:
        """Take a weight as found."""
        if found.pieces:
            self.found[weight.name] = found
        self.used.update(found.targets)
        name = name or ", ".join(found.targets)
        order = found.permutation if match is Match.PERMUTED else None
        self.matches[weight.name] = WeightMatch(
            weight.name, weight.shape, match, name, order, reason
        )

    def candidates(self, names: list[str], weight: Weight) -> list[str]:
        """Put the same name first, then what is not another weight's counterpart yet."""
        same = self.counterpart(weight)
        return sorted(names, key=lambda name: (name != same, name in self.used))

    def same(self, weight: Weight) -> None:
        """Look for the same bits."""
        for name in self.candidates(self.index.get(fingerprint(weight.bits), []), weight):
            other = self.b[name]
            if other.dtype != weight.dtype:
                continue
            if found := place(weight.bits, other.bits, name):
                self.settle(weight, *_kind(weight, other, found))
                return

    def cast(self, weight: Weight) -> None:
        """Look for the same values in another dtype."""
        if weight.dtype not in FLOATS:
            return
        present = {other.dtype for other in self.b.values()}
        for dtype in FLOATS:
            if dtype == weight.dtype or dtype not in present:
                continue
            with np.errstate(over="ignore", invalid="ignore"):
                bits = to_bits(weight.values().astype(numpy_dtype(dtype)))
            for name in self.candidates(self.index.get(fingerprint(bits), []), weight):
                other = self.b[name]
                if other.dtype == dtype and (found := place(bits, other.bits, name)):
                    reason = _kind(weight, other, found)[2]
                    reason = "; ".join(filter(None, (f"stored as {dtype}", reason)))
                    self.settle(weight, Match.CAST, found, reason)
                    return

    def parts(self, weight: Weight) -> None:
        """Look for it, whole or in equal parts, in parts of b's tensors."""
        if weight.bits.size < 2:
            return
        self.blocks = self.blocks or Blocks(self.b)
        if result := self.blocks.find(weight):
            found, reason = result
            self.settle(weight, Match.FOLDED, found, reason)

    def folds(self, graph: ir.Model) -> None:
        """Do foldings again that a's graph allows."""
        from verify.proof.folds import foldings

        free = {name: weight for name, weight in self.b.items() if name not in self.used}
        wanted = {weight.name for weight in self.left()}
        for names, targets, reason in foldings(graph, self.a, free):
            for name in names:
                if name in wanted and name not in self.matches:
                    weight = self.a[name]
                    text = ", ".join(targets)
                    self.settle(weight, Match.FOLDED, Found(()), reason, text)
            self.used.update(targets)
        for weight in self.left():
            value = graph.graph.initializers.get(weight.name)
            if value is not None and not value.uses() and not value.is_graph_output():
                self.matches[weight.name] = WeightMatch(weight.name, weight.shape, Match.UNUSED)

    def confirm(self) -> None:
        """Take back what the names contradict.

        Another tensor has the weight's name and shape, and not its values; or it has its values
        transposed, though no other matrix is.
        """
        turned = [_is_turned(self, name) for name in self.matches]
        straight = turned.count(False) > turned.count(True)
        for name, match in list(self.matches.items()):
            weight, twin = self.a[name], self.counterpart(self.a[name])
            if not twin or match.match not in (Match.SAME, Match.PERMUTED):
                continue
            other = self.b[twin]
            if other.shape != weight.shape or other.dtype != weight.dtype:
                continue
            swapped = match.counterpart != twin
            crossed = match.match is Match.PERMUTED and straight and weight.bits.ndim > 1
            if swapped or crossed:
                reason = difference(weight, other, self.own)
                del self.found[name]
                self.matches[name] = WeightMatch(
                    name, weight.shape, Match.DIFFERENT, twin, reason=reason
                )

    def compare(self, weight: Weight) -> None:
        """Say what became of a weight that was not found: different, or unknown."""
        twin = self.counterpart(weight)
        other = self.b.get(twin)
        if other is not None and other.dtype == weight.dtype and self.trusted(weight):
            for piece, order in ways(weight.shape, other.shape, twin):
                if order is not None:
                    seen = Weight(twin, piece.read({twin: other.bits}), other.dtype)
                    reason = difference(weight, seen, self.own)
                    self.different(weight, twin, order, reason)
                    return
        for name, candidate in self.b.items():
            if name in self.used or candidate.dtype != weight.dtype or weight.bits.size < 8:
                continue
            for piece, order in ways(weight.shape, candidate.shape, name):
                bits = _nearly(weight.bits, candidate.bits, piece)
                if bits is not None:
                    reason = difference(weight, Weight(name, bits, weight.dtype), self.own)
                    self.different(weight, name, order, reason)
                    return
        reason = "not found by content"
        if other is not None and not other.is_float and weight.is_float:
            reason = f"{twin} holds it quantised, as {other.dtype}"
        self.matches[weight.name] = WeightMatch(
            weight.name, weight.shape, Match.UNKNOWN, reason=reason
        )

    def different(
        self, weight: Weight, name: str, order: tuple[int, ...] | None, reason: str
    ) -> None:
        """Take a weight as disproved."""
        self.used.add(name)
        self.matches[weight.name] = WeightMatch(
            weight.name, weight.shape, Match.DIFFERENT, name, order, reason
        )

    def trusted(self, weight: Weight) -> bool:
        """Tell whether b's names can be trusted: what stands beside this weight has its own."""
        own = [name for name, match in self.matches.items() if match.match is not Match.UNUSED]
        kept = [n for n in own if self.matches[n].counterpart == self.counterpart(self.a[n]) != ""]
        module = plain(weight.name).rpartition(".")[0]
        beside = [name for name in own if plain(name).rpartition(".")[0] == module]
        if beside:
            return any(name in kept for name in beside)
        return len(kept) >= NEARLY * max(1, len(own)) > 0 and bool(kept)

    def note(self) -> str:
        """Say what could not be proved."""
        unknown = [
            name for name, item in self.matches.items()
            if item.match is Match.UNKNOWN and self.a[name].is_float
        ]  # fmt: skip
        if not unknown:
            return "the target has no record: weights were found by their bits"
        return (
            f"the target has no record: weights were looked for by their bits, and {len(unknown)} "
            f"of {len(self.matches)} are in no form that can be told (quantised, fused, or lost)"
        )


def plain(name: str) -> str:
    """Return a name without what frameworks change about it."""
    return name.split(":")[0].replace("/", ".")


def _kind(weight: Weight, other: Weight, found: Found) -> tuple[Match, Found, str]:
    order = found.permutation
    if order is None:
        return Match.PERMUTED, found, f"as {list(other.shape)}"
    same = order == tuple(range(len(order)))
    return (Match.SAME if same else Match.PERMUTED), found, ""


def _is_turned(hunt: _Hunt, name: str) -> bool | None:
    """Tell whether an oblong matrix is stored transposed under its own name."""
    weight, match = hunt.a[name], hunt.matches[name]
    oblong = weight.bits.ndim > 1 and len(set(weight.shape)) > 1
    if not oblong or match.counterpart != hunt.counterpart(weight):
        return None
    return match.match is Match.PERMUTED


def _nearly(source: np.ndarray, target: np.ndarray, piece) -> np.ndarray | None:
    """Return a target's bits in the source's order if nearly all of them are the source's."""
    seen = piece.read({piece.target: target})
    same = np.count_nonzero(as_integers(seen) == as_integers(source))
    return seen if same >= NEARLY * source.size else None
