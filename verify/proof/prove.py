"""From what both sides hold to the proof, and to what belongs to what."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from verify.proof.held import Holding
from verify.proof.placement import Found
from verify.report.proof import WeightProof

if TYPE_CHECKING:
    import onnx_ir as ir

SHARE = 0.5
"""A record is believed where it names at least this share of the source's weights: a record of
another conversion (of what became a) says nothing of this one."""


@dataclass
class Proof:
    """The proof, and what it tells further comparisons.

    Attributes:
        report: for the report.
        found: where b holds each weight of a that was found, by name in a; in the source's layout.
        stored_a: how a itself stores its weights, where a record says that.
        recorded: b's record tells what became of a's weights: b is what a was converted to.
    """

    report: WeightProof
    found: dict[str, Found] = field(default_factory=dict)
    stored_a: Mapping[str, tuple[int, ...]] | None = None
    recorded: bool = False


def prove(a: Holding, b: Holding, graph: Callable[[], ir.Model | None] | None = None) -> Proof:
    """Look for every weight of a in b.

    Args:
        graph: gives a's graph, asked for only where foldings have to be done again.
    """
    sources = {name: weight for name, weight in a.weights.items() if weight.role}
    note = "; ".join(filter(None, (a.note, b.note)))
    if not sources:
        return Proof(WeightProof(note=note or "the source holds no weights"))
    a = replace(a, weights=sources)
    names = {name for weight in b.weights.values() for name in (weight.name, *weight.aliases)}
    named = sum(bool({name, *weight.aliases} & names) for name, weight in sources.items())
    recorded = b.recorded and named >= SHARE * len(sources)
    if recorded:
        from verify.proof.recorded import check, reading

        a = reading(a, b)
        matches, found = check(a, b)
        # Of a model that went there and back, the record tells the way back alone.
        direct = not (a.framework and b.made_from) or a.framework == b.made_from
        recorded = direct or not any(item.match.failed for item in matches)
    if not recorded:
        from verify.proof.content import search

        matches, found, told = search(a, b, graph)
        note = "; ".join(filter(None, (note, told)))
    used = {name for item in found.values() for name in item.targets}
    extra = tuple(
        name for name, weight in b.weights.items()
        if name not in used and (weight.role or weight.is_float) and weight.bits.size > 1
    )  # fmt: skip
    return Proof(WeightProof(tuple(matches), extra, note), found, a.permutations, recorded)
