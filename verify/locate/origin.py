"""Tell where errors begin from where they only pass through.

A value of the reference that b has not got is no error by itself: b may have fused or folded it
away. It is *suspect* if it reaches an output through values that b has not got either. A node
whose results are suspect although b has all that it reads is an *origin*. Results of constants and
shapes alone are no suspects: they differ with the layout, and b may have them computed beforehand.

Once there are suspects, graph b is gone through again. A node of b that reads the reference's
values and gives none is paired with the suspect node that reads the same; its result is replaced
by the reference's. So what follows an origin is judged by itself, and a second one is seen, too.
Where b writes an operator out in several, that one of these stands for it whose result is nearest:
at the first of them nothing is finished yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import onnx_ir as ir

from converter.rebuild.graph_values import constant_tensor
from verify.locate.closeness import SAME, error_of, flat
from verify.locate.graph import Wide
from verify.locate.kernels import read_values
from verify.locate.masked import hidden
from verify.locate.recording import Recording
from verify.locate.walk import Item, Walk, walk

UNMATCHED = float("inf")

MOST_WAVES = 4
"""How many origins behind one another are looked for."""

NEARLY = 2.0
"""So many times the smallest error is as good."""

UNLIKE = 0.5
"""Error, relative, above which a result does not stand for a suspect's, if it comes of another
operator or of other values."""


@dataclass
class Findings:
    """What a comparison of two graphs says of each node of the reference.

    Attributes:
        recording: the reference.
        first: graph b on the reference's values wherever it has them.
        suspects: nodes of the reference that lead to a wrong output.
        origins: those among them at which an error begins, in order of computation, and how far
            b's result is from the reference's, relative; infinite: b has nothing like it.
        second: graph b with origins replaced; ``None`` if there were no suspects.
        notes: what is wrong with an origin beside its values, by node.
        counterparts: b's value for an origin.
    """

    recording: Recording
    first: Walk
    suspects: list[ir.Node] = field(default_factory=list)
    origins: dict[ir.Node, float] = field(default_factory=dict)
    second: Walk | None = None
    notes: dict[ir.Node, str] = field(default_factory=dict)
    counterparts: dict[ir.Node, ir.Value] = field(default_factory=dict)


def find(
    recording: Recording, wide: Wide, inputs: dict, outputs: dict[str, str],
    permuted: frozenset[str] = frozenset(),
) -> Findings:  # fmt: skip
    """Compare graph b with a recording of the reference.

    Args:
        wide: graph b.
        inputs: arrays by b's input names.
        outputs: the reference's output names to b's.
        permuted: the reference's outputs that b returns in another layout, as is declared.
    """
    first = walk(recording, wide, inputs)
    findings = Findings(recording, first)
    undelivered = _undelivered(recording, first, outputs, permuted)
    findings.suspects = suspects(recording, set(first.matches), undelivered)
    order = {node: index for index, node in enumerate(recording.wide.nodes)}
    masked = hidden(recording, first)
    findings.counterparts = {node: value for node, (_, value) in masked.items()}
    findings.origins = {node: error for node, (error, _) in masked.items()}
    if not findings.suspects:
        return findings
    behind = _behind(recording, first, findings.suspects)
    pairs, second = _paired(recording, wide, inputs, first, findings.suspects, behind)
    if behind and _lost(recording, first, second, {*findings.suspects, *behind}):
        # A shape of the reference in the place of another one of b spoils what reads it.
        pairs, second = _paired(recording, wide, inputs, first, findings.suspects, set())
    findings.second = second
    resolved = set(second.matches) | pairs.resolved
    left = suspects(recording, resolved, _undelivered(recording, second, outputs, permuted))
    origins = dict(pairs.errors)
    for node in left:
        if node not in origins and ready(recording, node, resolved):
            origins[node] = UNMATCHED
    origins |= dict.fromkeys(_movements(findings, second, origins), UNMATCHED)
    origins = findings.origins | origins
    findings.origins = dict(sorted(origins.items(), key=lambda item: order[item[0]]))
    findings.counterparts |= pairs.values
    return findings


def _lost(recording: Recording, first: Walk, second: Walk, suspects: set[ir.Node]) -> bool:
    """Tell whether b had a value, not of a suspect, that it has no more."""
    return any(
        number in first.matches and number not in second.matches
        for value, number in recording.numbers.items()
        if value.producer() not in suspects and value not in recording.fixed
    )


def _undelivered(
    recording: Recording, state: Walk, outputs: dict[str, str], permuted: frozenset[str]
) -> set[ir.Value]:
    """Return the reference's outputs that b does not return under the output's name."""
    theirs = {value.name: value for value in state.wide.outputs}
    result = set()
    for value in recording.wide.outputs:
        name = value.name or ""
        other = theirs.get(outputs.get(name, ""))
        item = state.items.get(other) if other is not None else None
        if item is None or item.number is None or value not in recording.numbers:
            result.add(value)
            continue
        number = recording.numbers[value]
        same = item.number == number or (name in permuted and item.base == number)
        if not same or _dtype_differs(recording, state, value, other):
            result.add(value)
    return result


def _dtype_differs(
    recording: Recording, state: Walk, value: ir.Value, other: ir.Value | None
) -> bool:
    mine = recording.wide.dtypes.get(value)
    theirs = None if other is None else state.wide.dtypes.get(other)
    return mine is not None and theirs is not None and mine != theirs


def suspects(recording: Recording, matched: set[int], undelivered: set[ir.Value]) -> list[ir.Node]:
    """Return the nodes that lead to an undelivered output through values that b has not got."""
    suspect = set(undelivered)
    result = []
    for node in reversed(recording.wide.nodes):
        if not any(value in suspect for value in node.outputs):
            continue
        result.append(node)
        suspect |= {
            value for value in read_values(node)
            if value is not None and recording.numbers.get(value) not in matched
            and value not in recording.fixed
        }  # fmt: skip
    return result[::-1]


def _behind(recording: Recording, state: Walk, suspects: list[ir.Node]) -> set[ir.Node]:
    """Return the nodes behind suspects that compute from constants what b has not got."""
    found: set[ir.Node] = set()
    queue = list(suspects)
    while queue:
        for value in read_values(queue.pop()):
            node = None if value is None else value.producer()
            if value not in recording.fixed or node is None or node in found:
                continue
            if recording.numbers.get(value) not in state.matches:
                found.add(node)
                queue.append(node)
    return found


def ready(recording: Recording, node: ir.Node, resolved: set[int]) -> bool:
    """Tell whether b has, or was given, all that a node reads."""
    return all(
        value is None or constant_tensor(value) is not None or value in recording.fixed
        or recording.numbers.get(value) in resolved
        for value in read_values(node)
    )  # fmt: skip


def _movements(findings: Findings, second: Walk, origins: dict[ir.Node, float]) -> list[ir.Node]:
    """Return nodes at which the layout begins to differ, on the way into an origin.

    The same operator on the same values in the same layout gave its elements in another order in
    b; what reads them is not to blame.
    """
    recording = findings.recording
    found: list[ir.Node] = []
    seen: set[ir.Node] = set(origins)
    queue = list(origins)
    while queue:
        for value in read_values(queue.pop()):
            match = None if value is None else second.matches.get(recording.numbers.get(value, -1))
            if value is None or match is None or match.layout == SAME:
                continue
            node = value.producer()
            if node is None or node in seen:
                continue
            seen.add(node)
            queue.append(node)
            other = second.counterparts[recording.numbers[value]].producer()
            if other is None or other.op_type != node.op_type:
                continue
            if _reads_same(recording, second, node, other) or _turned(recording, second, value):
                found.append(node)
    return found


def _reads_same(recording: Recording, state: Walk, node: ir.Node, other: ir.Node) -> bool:
    """Tell whether both read the same values in the same layout, constants apart."""
    mine = [recording.numbers.get(v) for v in read_values(node)
            if v is not None and constant_tensor(v) is None]  # fmt: skip
    items = [state.items.get(v) for v in read_values(other)
             if v is not None and constant_tensor(v) is None]  # fmt: skip
    return sorted(map(str, mine)) == sorted(str(i.number if i else None) for i in items)


def _turned(recording: Recording, state: Walk, value: ir.Value) -> bool:
    """Tell whether a value has its own shape in b and its elements in another order.

    All that the node reads is in the same layout: somebody has turned it on the way.
    """
    match, node = state.matches[recording.numbers[value]], value.producer()
    shape = getattr(recording.table.values[recording.numbers[value]], "shape", None)
    if node is None or shape is None or match.layout[2] != tuple(shape):
        return False
    read = [v for v in read_values(node) if v is not None and constant_tensor(v) is None]
    found = [state.matches.get(recording.numbers.get(v, -1)) for v in read]
    return all(item is not None and item.layout == SAME for item in found)


def _paired(
    recording: Recording, wide: Wide, inputs: dict, first: Walk, suspects: list[ir.Node],
    behind: set[ir.Node],
) -> tuple[_Pairs, Walk]:  # fmt: skip
    """Go through graph b with origins replaced, again as long as that shows others behind them."""
    chosen: dict[ir.Node, ir.Node] = {}
    pairs, state = _Pairs(recording, behind, chosen), first
    for _ in range(MOST_WAVES):
        wave = pairs.choose(state, [node for node in suspects if node not in chosen.values()])
        if not wave and state is not first:
            break
        chosen |= wave
        pairs = _Pairs(recording, behind, chosen)
        state = walk(recording, wide, inputs, pairs)
    return pairs, state


Rank = tuple[bool, int, float]


@dataclass
class _Pairs:
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
