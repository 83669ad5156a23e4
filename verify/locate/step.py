"""The verifier's step that finds where a difference comes from: after a mismatch, or `--deep`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from converter.errors import EquiportError, first_line
from verify.inputs import Case
from verify.locate.states import States
from verify.matching import Feed, View, pair_outputs
from verify.report.location import Depth, Leg, Location
from verify.report.result import Report, Run, Stage
from verify.sides import Failure

if TYPE_CHECKING:
    from verify.job import Job
    from verify.locate.origin import Findings
    from verify.locate.recording import Recording

MOST_CASES = 2
"""Sets of inputs on which `--deep` looks at every node."""


@dataclass
class Evidence:
    """All that is known of one set of inputs.

    Attributes:
        title: of the run.
        graphs: each side's graph; ``None``: it has none.
        recordings: each graph's values in float64.
        results: what each side returned, by the names of its graph's outputs.
        names: a's graph's output names to b's.
        permuted: outputs that b returns in another layout, as is declared.
        given: inputs by the names of each side's graph, and of each side.
        findings: of the two graphs against each other.
        note: why there are none.
        random: a's own names of outputs that are random, which are left out.
    """

    job: Job
    report: Report
    title: str
    graphs: dict[str, ir.Model | None]
    recordings: dict[str, Recording] = field(default_factory=dict)
    results: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    permuted: frozenset[str] = frozenset()
    given: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    own: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    findings: Findings | None = None
    note: str = ""
    random: frozenset[str] = frozenset()


def locate(
    job: Job, report: Report, cases: list[Case], feeds: list[Feed], views: list[View]
) -> None:
    """Fill in ``report.depth`` and, after a mismatch, ``report.location``."""
    wrong = _smallest(job, report, cases, Stage.MISMATCH)
    if not (job.options.deep or (wrong and job.options.locate)):
        return
    if find_spec("torch") is None:
        job.findings.append("where an error begins is found with PyTorch, which is not installed")
        return
    from verify.locate.legs import judge

    for case, run in (wrong or _smallest(job, report, cases, Stage.OK))[: 1 if wrong else None]:
        if report.depth is not None and job.budget.left <= 0:
            job.budget.leave_out(f"node by node on {run.title}")
            return
        job.options.progress(f"comparing node by node: {run.title}")
        try:
            evidence = _gather(job, report, case, run, feeds, views)
            if evidence is None:
                return
            report.depth = _compare(evidence)
            if run.stage is Stage.MISMATCH or not report.depth.passed:
                report.location = judge(evidence)
            elif job.options.deep:
                report.location = _look_behind(evidence)
            if report.location is not None:
                report.depth = _marked(report.depth, report.location)
                if job.options.repro is not None:
                    report.location = _with_repro(evidence, report.location)
        except (Failure, EquiportError, RuntimeError, ValueError, TypeError, MemoryError) as error:
            job.findings.append(f"where an error begins could not be found: {first_line(error)}")
            return
        if not report.depth.passed:
            return


def _look_behind(evidence: Evidence) -> Location | None:
    """Hold a's graph to a itself in float64, where no output differs beyond its noise."""
    from verify.locate.legs import hidden

    location = hidden(evidence)
    if location is not None and not location.origins:
        evidence.job.findings.append(f"{location.reason}; at which node is not known")
    return location


def _marked(depth: Depth, location: Location) -> Depth:
    """Return the depth with the origins that were found by other means than b's graph."""
    if depth.origins or location.leg is Leg.RUNTIME_B:  # whose nodes are b's
        return depth
    wrong = {node.index: node for node in location.origins}
    nodes = tuple(wrong.get(node.index, node) for node in depth.nodes)
    return replace(depth, nodes=nodes or location.origins)


def _with_repro(evidence: Evidence, location: Location) -> Location:
    """Write the first origin as a model of its own; a finding where there is none."""
    from verify.locate.recording import record
    from verify.locate.repro import of_counterpart, write

    job = evidence.job
    assert job.options.repro is not None
    if not location.origins:
        job.findings.append("there is no repro: no single node is known to be wrong")
        return location
    label = "b" if location.leg is Leg.RUNTIME_B else "a"
    graph = evidence.graphs[label]
    assert graph is not None
    recording = evidence.recordings.get(label) or record(graph, evidence.given[label])
    node, faulty = recording.wide.nodes[location.origins[0].index], None
    if label == "a" and evidence.findings is not None and evidence.graphs["b"] is not None:
        faulty = of_counterpart(evidence.findings, node, evidence.graphs["b"])
    write(Path(job.options.repro), recording, node, graph, faulty)
    return replace(location, repro=str(job.options.repro))


def _smallest(job: Job, report: Report, cases: list[Case], stage: Stage) -> list[tuple[Case, Run]]:
    """Return the cases of a stage, the fewest elements first, empty ones last.

    Of a sequence of calls the first that differs tells: what comes after goes on from other
    numbers. Where none differs, the last ones do: what is kept is no longer what it began with.
    """
    assert job.signature is not None
    found = []
    differ = {
        id(case) for case, run in zip(cases, report.runs, strict=False)
        if run.stage is Stage.MISMATCH
    }  # fmt: skip
    for index, (case, run) in enumerate(zip(cases, report.runs, strict=False)):
        if run.stage is stage:
            sizes = [array.size for array in case.inputs(job.signature).values()]
            follows = sum(id(call) in differ for call in case.after)
            earlier = 0 if stage is Stage.MISMATCH else -len(case.after)
            found.append((0 in sizes, follows, earlier, sum(sizes), index))
    return [(cases[rank[-1]], report.runs[rank[-1]]) for rank in sorted(found)][:MOST_CASES]


def _gather(
    job: Job, report: Report, case: Case, run: Run, feeds: list[Feed], views: list[View]
) -> Evidence | None:
    """Trace both sides, run them once more on the case, and bring their names together."""
    assert job.signature is not None
    graphs = {label: job.graph(label) for label in "ab"}
    evidence = Evidence(job, report, run.title, graphs)
    if graphs["a"] is None:
        return None
    inputs = case.inputs(job.signature)
    before = [call.inputs(job.signature) for call in case.after]
    states = States.of(job, evidence.graphs, feeds, before)
    results, failures = job.run_both(inputs, feeds, before)
    if failures:
        raise next(iter(failures.values()))
    if job.random.names:
        results = _without_random(evidence, results)
        if not results["a"][0]:
            job.findings.append("node by node was not compared: every output of a is random")
            return None
        graphs = evidence.graphs
    for label, feed in zip("ab", feeds, strict=True):
        evidence.own[label] = feed(inputs)
        graph = graphs[label]
        if graph is not None:
            free = [v.name or "" for v in graph.graph.inputs
                    if v.name not in graph.graph.initializers]  # fmt: skip
            free = [name for name in free if name not in states.given[label]]
            evidence.given[label] = _under(free, evidence.own[label])
            outputs = [v.name or "" for v in graph.graph.outputs
                       if v.name not in states.outputs[label].values()]  # fmt: skip
            evidence.results[label] = _under(outputs, results[label][0])
    (a, facts_a), (b, facts_b) = results["a"], results["b"]
    pairs = pair_outputs(
        job.signature, a, facts_a["named"], b, facts_b["named"], job.options.rename
    )
    if graphs["b"] is not None:
        renamed = {
            label: dict(zip(results[label][0], evidence.results[label], strict=False))
            for label in "ab"
        }
        evidence.names = {
            renamed["a"][one]: renamed["b"][other] for name, one, other in pairs
            if one in renamed["a"] and other in renamed["b"] and name not in job.options.ignore
        }  # fmt: skip
        evidence.permuted = frozenset(
            renamed["a"][one] for _, one, other in pairs
            if one in renamed["a"] and other is not None
            and getattr(views[1].output(other), "permutation", None) is not None
        )  # fmt: skip
    states.enter(evidence, results)
    return evidence


def _without_random(
    evidence: Evidence, results: Mapping[str, tuple[dict[str, Any], Mapping[str, Any]]]
) -> dict[str, tuple[dict[str, Any], Mapping[str, Any]]]:
    """Take the random outputs out of the results and of the graphs.

    Two draws differ at the operator that draws and at all that reads it, and nothing is wrong.
    """
    from verify.random_outputs.dependence import keeping_outputs

    job = evidence.job
    assert job.signature is not None
    (a, facts_a), (b, facts_b) = results["a"], results["b"]
    pairs = pair_outputs(
        job.signature, a, facts_a["named"], b, facts_b["named"], job.options.rename
    )
    kept = {}
    for side, label in enumerate("ab"):
        values, facts = results[label]
        random = {pair[1 + side] for pair in pairs if pair[0] in job.random.names}
        kept[label] = {n: v for n, v in values.items() if n not in random}, facts
        if label == "a":
            evidence.random = frozenset(name for name in random if name is not None)
        graph = evidence.graphs[label]
        if graph is not None and len(graph.graph.outputs) == len(values):
            names = [value.name for value in graph.graph.outputs]
            order = names if set(names) == set(values) else list(values)
            evidence.graphs[label] = keeping_outputs(graph, [n not in random for n in order])
    return kept


def _under(names: list[str], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return arrays under a graph's names: their own where it has those, else in order."""
    if set(names) <= set(arrays):
        known = {name: arrays[name] for name in arrays if name in names}
        return known | {f"?{name}": arrays[name] for name in arrays if name not in names}
    return dict(zip(names, arrays.values(), strict=False))


def _compare(evidence: Evidence) -> Depth:
    """Record a's graph and compare b's with it."""
    from verify.locate.graphs import compare_graphs, depth_of
    from verify.locate.recording import record

    graph_a, graph_b = evidence.graphs["a"], evidence.graphs["b"]
    assert graph_a is not None
    evidence.recordings["a"] = record(graph_a, evidence.given["a"])
    if graph_b is None:
        note = "b could not be traced, so its nodes are not seen"
        return Depth(inputs=evidence.title, note=note)
    evidence.findings = compare_graphs(
        evidence.recordings["a"], graph_b, evidence.given["a"], evidence.given["b"],
        evidence.names, evidence.permuted,
    )  # fmt: skip
    depth = depth_of(evidence.findings, evidence.title)
    if depth.origins and (doubt := _doubtful(evidence, graph_b)):
        evidence.findings, evidence.note = None, doubt
        return Depth(inputs=evidence.title, note=doubt)
    return depth


def _doubtful(evidence: Evidence, graph_b: ir.Model) -> str:
    """Say why b's traced graph must not be taken for b; ``""``: it gives what b returned."""
    from verify.locate.legs import GRAPHS
    from verify.locate.recording import record
    from verify.locate.witnesses import errors_of, loosest

    if evidence.report.b.kind in GRAPHS:
        return ""
    b = record(graph_b, evidence.given["b"])
    if b.failed:
        node, why = next(iter(b.failed.items()))
        return f"b's nodes are not judged: its trace does not run ({node.op_type}: {why})"
    worst = max(errors_of(b, evidence.results["b"]).values(), default=0.0)
    if worst > loosest(evidence.recordings["a"], evidence.results["a"]):
        return f"b's nodes are not judged: its trace is {worst:.2g} from what b returned"
    return ""
