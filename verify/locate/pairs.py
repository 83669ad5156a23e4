"""Pair what graph b gives with what it is meant to be: nodes of the reference that b has not got.

The counterpart of a node is a node of b that reads the same and whose result is nearest, best the
same operator. Where b writes an operator out in several, it is the last of these: at the first of
them nothing is finished yet. The reference's value in its place lets what follows be judged by
itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import onnx_ir as ir

from converter.rebuild.graph_values import constant_tensor
from verify.locate.closeness import error_of, flat
from verify.locate.graph import Wide
from verify.locate.kernels import read_values
from verify.locate.recording import Recording
from verify.locate.walk import Item, Walk, walk

UNMATCHED = float("inf")
"""Error of a node of which b has nothing like it."""

MOST_WAVES = 4
"""How many origins behind one another are looked for."""

NEARLY = 2.0
"""So many times the smallest error is as good."""

UNLIKE = 0.5
"""Error, relative, above which a result does not stand for a suspect's, if it comes of another
operator or of other values."""


def ready(recording: Recording, node: ir.Node, resolved: set[int]) -> bool:
    """Tell whether b has, or was given, all that a node reads."""
    return all(
        value is None or constant_tensor(value) is not None or value in recording.fixed
        or recording.numbers.get(value) in resolved
        for value in read_values(node)
    )  # fmt: skip


def paired(
    recording: Recording, wide: Wide, inputs: dict, first: Walk, suspects: list[ir.Node],
    behind: set[ir.Node],
) -> tuple[Pairs, Walk]:  # fmt: skip
    """Go through graph b with origins replaced, again as long as that shows others behind them."""
    chosen: dict[ir.Node, ir.Node] = {}
    fixed = {node for node in suspects if node.outputs[0] in recording.fixed}
    behind = behind | fixed
    pairs, state = Pairs(recording, behind, chosen), first
    for _ in range(MOST_WAVES):
        wave = pairs.choose(state, [n for n in suspects if n not in {*fixed, *chosen.values()}])
        if not wave and state is not first:
            break
        chosen |= wave
        pairs = Pairs(recording, behind, chosen)
        state = walk(recording, wide, inputs, pairs)
    return pairs, state


Rank = tuple[bool, int, float]


@dataclass
class Pairs:
    """Puts values of the reference in the place of those of b that are meant to be them.

    Attributes:
        behind: suspect nodes of shapes and constants, paired as `walk` meets what reads the same.
        chosen: the suspect for a node of b.
        errors: how far b's result is from each suspect's, relative.
        values: b's value for each.
        resolved: their numbers.
    """

    recording: Recording
    behind: set[ir.Node]
    chosen: dict[ir.Node, ir.Node]
    errors: dict[ir.Node, float] = field(default_factory=dict)
    values: dict[ir.Node, ir.Value] = field(default_factory=dict)
    resolved: set[int] = field(default_factory=set)

    def choose(self, state: Walk, suspects: list[ir.Node]) -> dict[ir.Node, ir.Node]:
        """Return the suspect for each node of b that stands for one of which b has what it reads.

        Args:
            state: graph b, gone through with these pairs.
        """
        known = set(state.matches) | self.resolved
        open_ = [
            node for node in suspects
            if self.recording.numbers.get(node.outputs[0]) not in known
            and ready(self.recording, node, known)
        ]  # fmt: skip
        ranks: dict[ir.Node, list[tuple[Rank, ir.Node]]] = {}
        for node in state.wide.nodes if open_ else ():
            items = [None if v is None else state.items.get(v) for v in read_values(node)]
            made = [state.items[value] for value in node.outputs if value in state.items]
            if not made or any(item.resolved for item in made):
                continue
            for candidate in open_:
                rank = self._rank(state, candidate, node, items, made)
                if rank is not None:
                    ranks.setdefault(candidate, []).append((rank, node))
        result: dict[ir.Node, ir.Node] = {}
        for candidate in sorted(ranks, key=lambda c: max(_order(r) for r, _ in ranks[c]))[::-1]:
            free = [(rank, node) for rank, node in ranks[candidate] if node not in result]
            if free:
                result[_nearest(free)] = candidate
        return result

    def __call__(
        self, state: Walk, node: ir.Node, items: Sequence[Item | None], made: list[Item]
    ) -> None:
        if any(item.resolved for item in made):
            return
        best = self.chosen.get(node)
        if best is not None:
            self._replace(best, self._error(state, best, made), node, made)
            return
        known, score = set(state.matches) | self.resolved, (False, 0, UNMATCHED)
        for candidate in self.behind:
            if candidate in self.errors or not ready(self.recording, candidate, known):
                continue
            rank = self._rank_fixed(state, candidate, node, items, made)
            if rank is not None and (best is None or _order(rank) > _order(score)):
                best, score = candidate, rank
        if best is not None:
            self._replace(best, score[2], node, made)

    def _replace(self, best: ir.Node, error: float, node: ir.Node, made: list[Item]) -> None:
        """Let the reference's results stand for those of a node of b."""
        self.errors[best] = error
        outputs = [value for value in node.outputs if value.name]
        self.values[best] = outputs[0]
        for value, item in zip([v for v in best.outputs if v.name], made, strict=False):
            number = self.recording.numbers.get(value)
            if number is None:
                continue
            self.resolved.add(number)
            item.number, item.base, item.resolved, item.twin = number, number, True, None
            item.frontier = frozenset({number})

    def _rank(
        self, state: Walk, candidate: ir.Node, node: ir.Node, items: Sequence[Item | None],
        made: list[Item],
    ) -> Rank | None:  # fmt: skip
        """Say how well a node of b fits a suspect: same operator, shared values, small error."""
        reads = {
            self.recording.numbers[value] for value in read_values(candidate)
            if value is not None and value in self.recording.numbers
            and constant_tensor(value) is None and value not in self.recording.fixed
        }  # fmt: skip
        frontier = frozenset().union(*(item.frontier for item in items if item is not None))
        shared = len(reads & frontier)
        same = candidate.op_type == node.op_type
        if reads and not shared:
            return None
        error = self._error(state, candidate, made)
        direct = reads <= {item.number for item in items if item is not None}
        if not (same and direct) and (reads != reads & frontier or error > UNLIKE):
            return None
        return same, shared, error

    def _rank_fixed(
        self, state: Walk, candidate: ir.Node, node: ir.Node, items: Sequence[Item | None],
        made: list[Item],
    ) -> Rank | None:  # fmt: skip
        """Take a node that reads the same, or the same operator that reads the same but for one."""
        mine = [self.recording.numbers.get(v) for v in read_values(candidate) if v is not None]
        shared = sum(item is not None and item.number in mine for item in items)
        same = candidate.op_type == node.op_type
        if not shared or shared < len(mine) - same:
            return None
        error = self._error(state, candidate, made)
        return None if not same and error == UNMATCHED else (same, shared, error)

    def _error(self, state: Walk, candidate: ir.Node, made: list[Item]) -> float:
        number = self.recording.numbers.get(candidate.outputs[0])
        if number is None or made[0].raw is None:
            return UNMATCHED
        a = flat(self.recording.table.values[number])
        b = flat(state.table.values[made[0].raw])
        if a is None or b is None or a.numel() != b.numel():
            return UNMATCHED
        return error_of(a, b)


def _nearest(ranked: list[tuple[Rank, ir.Node]]) -> ir.Node:
    """Return the first node that fits best, or nearly so: what follows may move it only."""
    kind = max(rank[:2] for rank, _ in ranked)
    near = [(rank[2], node) for rank, node in ranked if rank[:2] == kind]
    least = min(error for error, _ in near)
    return next(node for error, node in near if error <= NEARLY * least)


def _order(rank: Rank) -> Rank:
    """Return what sorts the better rank behind."""
    return rank[0], rank[1], -rank[2]
