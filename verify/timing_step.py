"""The part of a comparison that times both sides, once and over several sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from converter.sizes import fits
from verify.inputs import Case
from verify.latency import QUICK, measure, within
from verify.matching import Feed
from verify.report.result import Report, Run, SizeTiming, Stage
from verify.scales import NORMAL
from verify.sides import Failure, LiveSide

if TYPE_CHECKING:
    from converter.signature import Signature
    from verify.job import Job

SWEEP = (1, 2, 4, 8, 16, 32, 64)
"""Sizes that the sweep tries, as far as the dimension's range goes."""


def timed(
    job: Job, report: Report, cases: list[Case], signature: Signature, feeds: list[Feed]
) -> None:
    """Time both sides on the largest ordinary inputs that both could run; then the sweep."""
    ran = [
        (case.scale == NORMAL, sum(array.size for array in case.inputs(signature).values()), -index)
        for index, (case, run) in enumerate(zip(cases, report.runs, strict=False))
        if len(run.seconds) == 2
    ]
    if not ran:
        job.findings.append("latency was not measured: there is no run that both sides did")
        return
    case = cases[-max(ran)[2]]
    if job.options.threads is not None:
        for side, told in ((job.a, report.a), (job.b, report.b)):
            if isinstance(side, LiveSide) and told.framework != "torch":
                job.findings.append(
                    f"{side.label} is timed with all threads: only PyTorch's number of threads can "
                    "be set while it runs; give a file instead"
                )
    job.options.progress(f"timing {title(case)}")
    if job.options.max_slowdown is None and job.budget.left <= 0:
        job.budget.leave_out("latency")
        return
    _, failures = job.run_both(case.inputs(signature), feeds)
    if failures:
        job.findings.append("latency was not measured: a side failed when it was run again")
        return
    try:
        effort = within(job.budget.left) if job.options.max_slowdown is None else None
        latency = measure(
            job.a, job.b, max_slowdown=job.options.max_slowdown, inputs=title(case), effort=effort
        )
        latency = replace(latency, threads=job.options.threads)
        report.latency = latency
        if job.options.batch_sweep:
            report.latency = replace(latency, sweep=swept(job, case, signature, feeds))
    except Failure as failure:
        run = Run("latency", case.seed, case.sizes, failure.stage, "", failure.reason)
        report.runs.append(run)


def swept(job: Job, case: Case, signature: Signature, feeds: list[Feed]) -> tuple[SizeTiming, ...]:
    """Time both sides over sizes of the first dynamic dimension, the others as in ``case``."""
    names = signature.dynamic_dims()
    if case.data is not None or not names:
        why = "the inputs are the user's own" if names else "no dimension is dynamic"
        job.findings.append(f"there is no batch sweep: {why}")
        return ()
    rows = []
    for size in allowed(signature, names[0]):
        at: Mapping[str, int] = {**case.sizes, names[0]: size}
        if not fits(signature, at):
            continue
        one = replace(case, sizes=at, label=f"sweep {names[0]}={size}")
        job.options.progress(f"timing {names[0]}={size}")
        _, failures = job.run_both(one.inputs(signature), feeds)
        if failures:
            label, failure = next(iter(failures.items()))
            job.findings.append(f"{names[0]}={size} is not in the sweep: {label}: {failure.reason}")
            continue
        latency = measure(job.a, job.b, effort=QUICK)
        assert latency.interval is not None
        a, b = replace(latency.a, samples=()), replace(latency.b, samples=())
        rows.append(SizeTiming(names[0], size, a, b, latency.ratio, latency.interval))
    return tuple(rows)


def allowed(signature: Signature, name: str) -> list[int]:
    """Return the sizes of the sweep that are in a dimension's range."""
    bounds = signature.dims.get(name)
    if bounds is None:
        return list(SWEEP)
    high = bounds.maximum if bounds.maximum is not None else SWEEP[-1]
    return [size for size in SWEEP if bounds.minimum <= size <= high]


def title(case: Case) -> str:
    """Return how the report calls a case."""
    return Run(case.label, case.seed, case.sizes, Stage.OK).title
