"""What `print(conversion)` says: from what, to what, where, and how well it was verified."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from converter.progress import count

if TYPE_CHECKING:
    from converter.pipeline import Conversion
    from verify import Report


def summary(conversion: Conversion) -> str:
    """Return the lines."""
    where = str(conversion.path) if conversion.path is not None else "in memory, not written"
    engine = "" if conversion.engine == "native" else f", by {conversion.engine}"
    lines = [
        f"from      {conversion.origin}",
        f"to        {conversion.target}{engine}: {where}",
        *(f"input     {spec}" for spec in conversion.signature.inputs),
        *(f"output    {spec}" for spec in conversion.signature.outputs),
        *verification(conversion.report),
        *(f"note      {note}" for note in conversion.notes),
    ]
    seconds = sum(stage.seconds for stage in conversion.stages)
    if conversion.stages:
        lines.append(f"took      {seconds:.1f} s")
    return "\n".join(lines)


def verification(report: Report | None) -> Iterator[str]:
    """Yield lines on the comparison."""
    if report is None:
        yield "verified  no: nothing was compared"
        return
    from verify.report.numbers import number
    from verify.report.result import Report

    if not isinstance(report, Report):  # of a verifier of the user's own
        yield f"verified  {report}"
        return
    verdict = "yes" if report.passed else "NO, it FAILED"
    left_out = len(report.budget.left_out) if report.budget is not None else 0
    more = f", {left_out} left out for want of time" if left_out else ""
    compared = count(sum(run.stage.value == "ok" for run in report.runs), "run")
    yield f"verified  {verdict}: {compared} of {len(report.runs)} agree{more}"
    for item in report.outputs.values():
        word = "" if item.passed else "  FAILED"
        yield (
            f"          {item.name}: largest difference {number(item.max_abs)}, "
            f"{number(item.max_rel)} of the largest value{word}"
        )
    if report.weights is not None:
        from verify.report.terminal_proof import weight_lines

        for line in weight_lines(report.weights):
            yield f"weights   {line.removeprefix('weights: ')}"
    if report.latency is not None:
        low, high = report.latency.interval or (report.latency.ratio, report.latency.ratio)
        yield (
            f"latency   {report.latency.ratio:.2f} times the source's ({low:.2f} to {high:.2f} "
            "at 95 %)"
        )
    for failure in report.failures[:MOST_FAILURES]:
        yield f"failed    {failure}"
    if len(report.failures) > MOST_FAILURES:
        yield f"          ... and {len(report.failures) - MOST_FAILURES} more"
    yield from (f"note      {finding}" for finding in report.findings)


MOST_FAILURES = 5
