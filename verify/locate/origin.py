"""Tell where errors begin from where they only pass through.

A value of the reference that b has not got is no error by itself: b may have fused or folded it
away. It is *suspect* if it reaches an output through values that b has not got either. A node
whose results are suspect although b has all that it reads is an *origin*. Results of constants and
shapes alone are no suspects: they differ with the layout, and b may have them computed beforehand.

Once there are suspects, graph b is gone through again, with the reference's value in the place of
what stands for each origin (`verify.locate.pairs`), so that a second one behind it is seen, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx_ir as ir

from converter.rebuild.graph_values import constant_tensor
from verify.locate.closeness import SAME
from verify.locate.graph import Wide
from verify.locate.kernels import read_values
from verify.locate.masked import hidden
from verify.locate.pairs import UNMATCHED, paired, ready
from verify.locate.recording import Recording
from verify.locate.walk import Walk, walk


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
    pairs, second = paired(recording, wide, inputs, first, findings.suspects, behind)
    if behind and _lost(recording, first, second, {*findings.suspects, *behind}):
        # A shape of the reference in the place of another one of b spoils what reads it.
        pairs, second = paired(recording, wide, inputs, first, findings.suspects, set())
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
