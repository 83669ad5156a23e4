"""Why two sides differ, as far as runs and traces of the source tell: findings beside the verdict.

Frozen constants: see `verify.frozen`. Dependence: an output of b that stays the same where another
value of an input changes a's has been frozen on the way, whatever format b is in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from converter.errors import EquiportError, first_line
from verify.inputs import Case, random_inputs
from verify.matching import pair_outputs, under_one_name
from verify.random_outputs.dependence import drawing_nodes, shown_names
from verify.report.result import Report, Stage
from verify.sides import Failure

if TYPE_CHECKING:
    from verify.job import Job
    from verify.matching import Feed, View

MOST = 8
"""Frozen constants told one by one."""

MOST_INPUTS = 16
"""Inputs that are changed one by one."""

GRAPHS = frozenset({
    "exported_program", "onnx_file", "onnx_model", "saved_model", "tflite", "torch_artifact",
})  # fmt: skip
"""Kinds that hold a graph and no Python any more."""


def look(job: Job, report: Report, cases: list[Case], feeds: list[Feed], views: list[View]) -> None:
    """Add findings; by itself only where the two sides mismatch.

    ``options.frozen`` asks for the second trace in any case, or not at all.
    """
    wrong = [
        case
        for case, run in zip(cases, report.runs, strict=False)
        if run.stage is Stage.MISMATCH and case.data is None
    ]
    drawn = report.random is not None and not report.random.passed
    wanted = bool(wrong) or drawn if job.options.frozen is None else job.options.frozen
    if wanted:
        _frozen(job, report)
    if wrong:
        _drawn_by_b(job, report, wrong[0], feeds, views)
    if wrong and job.options.frozen is not False:
        _dependence(job, wrong[0], feeds, views)


def _frozen(job: Job, report: Report) -> None:
    if job.signature is None or not job.a.usable:
        return
    if report.a.kind in GRAPHS:
        if job.options.frozen:
            job.findings.append(
                f"a second trace would tell nothing: a is a graph already ({report.a.kind})"
            )
        return
    job.options.progress(f"tracing {job.a.name} twice")
    try:
        found = job.a.frozen(job.signature)
    except (Failure, EquiportError) as error:
        reason = first_line(error)
        job.findings.append(f"what tracing froze in a is not known: {reason}")
        return
    job.findings.extend(f"frozen by tracing a: {item}" for item in found[:MOST])
    if len(found) > MOST:
        job.findings.append(f"frozen by tracing a: {len(found) - MOST} more places")


def _drawn_by_b(job: Job, report: Report, case: Case, feeds: list[Feed], views: list[View]) -> None:
    """Say which outputs differ because b draws random numbers for them, and a does not.

    Such an output is compared element by element all the same: it is wrong.
    """
    a, b = job.graph("a"), job.graph("b")
    failed = {name for run in report.runs for name, item in run.outputs.items() if not item.passed}
    if a is None or b is None or not failed or not (draws := drawing_nodes(b)):
        return
    assert job.signature is not None
    results, failures = job.run_both(case.inputs(job.signature), feeds)
    if failures:
        return
    (values, facts), (own, own_facts) = results["a"], results["b"]
    pairs = pair_outputs(
        job.signature, values, facts["named"], own, own_facts["named"], job.options.rename
    )
    reported = {theirs: name for name, _, theirs in pairs if theirs is not None}
    shown = shown_names(b, [*own])
    for output, nodes in draws.items():
        name = reported.get(shown[output]) if shown is not None else None
        if name in failed and name not in job.random.names:
            places = ", ".join(dict.fromkeys(map(_place, nodes)))
            job.findings.append(
                f"b draws random numbers for {name} ({places}) and a does not, so no two calls "
                "agree: take the draw out of b, or compare it with a model that draws, too"
            )


def _place(node: ir.Node) -> str:
    """Return the operator, and where it comes from."""
    given = (node.metadata_props.get(f"equiport.{key}") for key in ("module_path", "source_line"))
    where = ", ".join(filter(None, given)) or node.name
    return f"{node.op_type} at {where}" if where else node.op_type


def _dependence(job: Job, case: Case, feeds: list[Feed], views: list[View]) -> None:
    """Change one input at a time and see which outputs follow on the one side alone."""
    assert job.signature is not None
    inputs = case.inputs(job.signature)
    others = random_inputs(job.signature, case.sizes, (case.seed or 0) + 1000)
    changed = [name for name in inputs if not _same(inputs[name], others[name])][:MOST_INPUTS]
    before = _outputs(job, inputs, feeds, views) if changed else None
    for name in changed if before else ():
        job.options.progress(f"changing {name} alone")
        after = _outputs(job, {**inputs, name: others[name]}, feeds, views)
        if after is None or before is None:
            return
        for one, other, who in ((0, 1, "b"), (1, 0, "a")):
            for output in before[one]:
                if output not in before[other] or output in job.random.names:
                    continue
                follows = not _same(before[one][output], after[one][output])
                if follows and _same(before[other][output], after[other][output]):
                    job.findings.append(
                        f"{output} of {who} stays the same when {name} alone changes, that of "
                        f"{'ab'[one]} does not: {name} is frozen or unused there"
                    )


def _outputs(
    job: Job, inputs: Mapping[str, np.ndarray], feeds: list[Feed], views: list[View]
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return both sides' outputs by the report's names; ``None`` where a side failed."""
    results, failures = job.run_both(inputs, feeds)
    if failures:
        return None
    assert job.signature is not None
    return under_one_name(job.signature, views, results, job.options.rename)


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    if one.shape != other.shape:
        return False
    return np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
