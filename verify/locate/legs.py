"""Which part of a conversion is to blame.

S and T are what source and target returned, A and B what their graphs give in float64. If S is
not A, the trace of the source lies (or its runtime, if it is a graph itself); if A is not B, the
conversion between them; if T is not B, the target's runtime. ONNX Runtime and ONNX's reference
evaluator say whether A and B are right themselves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import onnx_ir as ir

from converter.errors import EquiportError, first_line
from converter.rebuild.graph_values import constant_tensor
from verify.locate.expose import exposed
from verify.locate.graph import Wide
from verify.locate.graphs import row
from verify.locate.kernels import read_values
from verify.locate.local import wrong_nodes
from verify.locate.recording import Recording, record
from verify.locate.seen import unseen_origins
from verify.locate.witnesses import Witnesses, errors_of, hear
from verify.report.location import Leg, Location, NodeComparison
from verify.sides import Failure

if TYPE_CHECKING:
    from verify.aside import Aside
    from verify.locate.origin import Findings
    from verify.locate.step import Evidence

GRAPHS = frozenset({"onnx_file", "onnx_model"})
"""Kinds of models that are the graph themselves: nothing was traced."""

LEAST_IN_FLOAT64 = 5e-7
"""Relative error up to which a source and its graph agree in float64: constants are float32."""


def judge(evidence: Evidence) -> Location:
    """Return where a mismatch comes from."""
    said = _said_of_a(evidence)
    words = said.told("a's graph")
    wrong, worst = _unlike_source(evidence, said, words)
    if wrong:
        return _traced_wrong(evidence, wrong, worst, words)
    if not said.agree:
        return _own_fault(evidence, words)
    if evidence.findings is None:
        reason = "a's graph says what a says; " + (
            evidence.note or "b could not be traced, so its part is not seen"
        )
        return Location(Leg.UNKNOWN, reason, (), words)
    depth = evidence.report.depth
    assert depth is not None
    if depth.origins:
        return _converted_wrong(evidence.findings, depth.origins, words)
    return _run_wrong(evidence, words)


def hidden(evidence: Evidence) -> Location | None:
    """Return what is wrong with a's trace, or with the reference, although no output shows it.

    Of the trace only the source's own float64 run can tell. ``None``: nothing.
    """
    said = _said_of_a(evidence)
    words = said.told("a's graph")
    if not said.agree:
        return _own_fault(evidence, words)
    found = _in_float64(evidence, said, words)
    if found is None or not found[0]:
        return None
    return _traced_wrong(evidence, *found, words)


def _said_of_a(evidence: Evidence) -> Witnesses:
    graph = evidence.graphs["a"]
    assert graph is not None
    also = {evidence.report.a.runtime: evidence.results["a"]}
    return hear(graph, evidence.recordings["a"], evidence.job.aside, also)


def _unlike_source(
    evidence: Evidence, said: Witnesses, words: dict[str, str]
) -> tuple[list[str], float]:
    """Return the outputs of a's graph that are not what a returns, and the largest error."""
    errors = errors_of(evidence.recordings["a"], evidence.results["a"])
    worst = max(errors.values(), default=0.0)
    words["a itself"] = f"{worst:.2g} from float64, {said.limit:.2g} is agreement"
    exact = _in_float64(evidence, said, words) if said.agree else None
    if exact is not None:
        return exact
    return [name for name, error in errors.items() if error > said.limit], worst


def _in_float64(
    evidence: Evidence, said: Witnesses, words: dict[str, str]
) -> tuple[list[str], float] | None:
    """Return the same by the source's own float64 run; ``None`` where it has none.

    What a trace has folded in float32 makes a part of the rounding that a witness shows.
    """
    if evidence.report.a.kind in GRAPHS:
        return None
    job = evidence.job
    try:
        outputs = job.a.in_float64(evidence.own["a"], job.folder / "float64")
    except (Failure, EquiportError):
        return None
    names = [value.name or "" for value in evidence.recordings["a"].wide.outputs]
    kept = [value for name, value in outputs.items() if name not in evidence.random]
    errors = errors_of(evidence.recordings["a"], dict(zip(names, kept, strict=False)))
    limit = max(LEAST_IN_FLOAT64, 4 * min(said.errors.values(), default=0.0))
    worst = max(errors.values(), default=0.0)
    words["a in float64"] = f"{worst:.2g} from its graph in float64, {limit:.2g} is agreement"
    return [name for name, error in errors.items() if error > limit], worst


def _traced_wrong(
    evidence: Evidence, wrong: list[str], worst: float, words: dict[str, str]
) -> Location:
    """The source is not what its graph says."""
    recording = evidence.recordings["a"]
    if evidence.report.a.kind in GRAPHS:
        reason = (
            f"{evidence.report.a.runtime} is {worst:.2g} from what a's own graph gives in float64"
        )
        graph = evidence.graphs["a"]
        assert graph is not None
        origins = _of_runtime(graph, evidence.report.a.runtime, recording, evidence.job.aside)
        return Location(Leg.RUNTIME_A, reason, origins, words)
    reason = f"a's traced graph is {worst:.2g} from a itself; ONNX's runtimes agree with it"
    try:
        theirs = evidence.job.a.recorded(evidence.own["a"], evidence.job.folder / "recorded")
        nodes = unseen_origins(recording, theirs, wrong)
        words["a, operator by operator"] = f"{len(theirs)} results in float64"
    except (Failure, EquiportError) as error:
        nodes = []
        words["a, operator by operator"] = f"not recorded: {first_line(error)}"
    index = {node: place for place, node in enumerate(recording.wide.nodes)}
    origins = tuple(row(recording, node, index[node], math.inf) for node in nodes)
    return Location(Leg.TRACING, reason, origins, words)


def _own_fault(evidence: Evidence, words: dict[str, str]) -> Location:
    """Source and runtimes agree, only the graph rebuilt in PyTorch does not."""
    graph, recording = evidence.graphs["a"], evidence.recordings["a"]
    assert graph is not None
    origins: tuple[NodeComparison, ...] = ()
    for runtime in ("onnxruntime_unoptimised", "onnx_reference"):
        try:
            values = evidence.job.aside.run(runtime, exposed(graph), recording.inputs)
        except (Failure, EquiportError) as error:
            words[f"{runtime}, node by node"] = f"refused: {first_line(error)}"
            continue
        origins = _rows(recording, wrong_nodes(graph, {**recording.inputs, **values}))
        break
    reason = (
        "a and the ONNX runtimes agree, the graph rebuilt in PyTorch does not: "
        "its handler of the first node is wrong"
    )
    return Location(Leg.REBUILDING, reason, origins, words)


def _converted_wrong(
    findings: Findings, origins: tuple[NodeComparison, ...], words: dict[str, str]
) -> Location:
    """The two graphs differ."""
    changed = [node for node in findings.origins if changed_weights(findings, node)]
    first = next(iter(findings.origins))
    if first in changed:
        reason = "the operator of the first node is the same in b, what it reads of weights is not"
        return Location(Leg.WEIGHTS, reason, origins, words)
    reason = "both graphs run in float64 differ from the first node on; a says what its graph says"
    return Location(Leg.REBUILDING, reason, origins, words)


def changed_weights(findings: Findings, node: ir.Node) -> bool:
    """Tell whether b's counterpart of a node is the same but for constants of the same shape."""
    value = findings.counterparts.get(node)
    other = value.producer() if value is not None else None
    if other is None or other.op_type != node.op_type or findings.second is None:
        return False
    if {n: a.value for n, a in node.attributes.items()} != {
        n: a.value for n, a in other.attributes.items()
    }:
        return False
    changed = False
    for mine, theirs in zip(read_values(node), read_values(other), strict=False):
        if mine is None or theirs is None or constant_tensor(mine) is None:
            continue
        item = findings.second.items.get(theirs)
        number = findings.recording.numbers.get(mine)
        if item is None or number is None or constant_tensor(theirs) is None:
            return False
        if item.number != number:
            changed = True
    return changed


def _run_wrong(evidence: Evidence, words: dict[str, str]) -> Location:
    """Both graphs are the same: b's runtime, or nothing at all."""
    graph = evidence.graphs["b"]
    assert graph is not None
    b = record(graph, evidence.given["b"])
    said = hear(graph, b, evidence.job.aside)
    words |= said.told("b's graph")
    worst = max(errors_of(b, evidence.results["b"]).values(), default=0.0)
    words["b itself"] = f"{worst:.2g} from float64, {said.limit:.2g} is agreement"
    if worst <= said.limit:
        reason = "both graphs are the same in float64, and both sides are near it: only rounding"
        return Location(Leg.UNKNOWN, reason, (), words)
    runtime = evidence.report.b.runtime
    reason = f"both graphs are the same in float64; {runtime} is {worst:.2g} from b's"
    if evidence.report.b.kind not in GRAPHS:
        reason += " (or the graph is not what b is)"
        return Location(Leg.RUNTIME_B, reason, (), words)
    origins = _of_runtime(graph, runtime, b, evidence.job.aside)
    return Location(Leg.RUNTIME_B, reason, origins, words)


def _of_runtime(
    graph: ir.Model, runtime: str, recording: Recording, aside: Aside
) -> tuple[NodeComparison, ...]:
    """Return the nodes that a runtime for ONNX gets wrong, with all inner values as outputs."""
    try:
        values = aside.run(runtime, exposed(graph), recording.inputs)
    except (Failure, EquiportError):  # with more outputs it may refuse what it took before
        return ()
    return _rows(recording, wrong_nodes(graph, {**recording.inputs, **values}))


def _rows(recording: Recording, errors: dict[str, float]) -> tuple[NodeComparison, ...]:
    wide: Wide = recording.wide
    return tuple(
        row(recording, node, index, errors[node.outputs[0].name or ""])
        for index, node in enumerate(wide.nodes)
        if (node.outputs[0].name or "") in errors
    )
