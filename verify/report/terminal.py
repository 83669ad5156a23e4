"""The report on a terminal: a table that fits in 80 columns."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape as escape_markup
from rich.table import Table

from verify.report.failures import Kind, failed
from verify.report.numbers import cosine, decibel, number, size
from verify.report.randomness import random_lines
from verify.report.result import OutputComparison, Report, Side
from verify.report.sentences import latency_lines, sentences
from verify.report.terminal_proof import training_lines, weight_lines

if TYPE_CHECKING:
    from rich.console import RenderableType

WIDTH = 80
MOST_FAILURES = {Kind.MISMATCH: 4, Kind.NODE: 3, Kind.WEIGHT: 8, Kind.TRAINING: 8}
"""Of each kind; there are few of the others, and all are shown. Every other report has them all."""
MOST_OUTPUTS = 60


def escape(text: str) -> str:
    """Return a text from outside so that it changes neither colours nor the terminal's state."""
    return escape_markup("".join(c if c.isprintable() else "�" for c in text))


def render(report: Report, width: int = WIDTH) -> str:
    """Return the report as plain text, without colours."""
    text = io.StringIO()
    show(report, Console(file=text, width=width, color_system=None, force_terminal=False))
    return text.getvalue().rstrip() + "\n"


def show(report: Report, console: Console, verbose: bool = False) -> None:
    """Print the report.

    Args:
        verbose: one line per run, too.
    """
    for side in (report.a, report.b):
        console.print(_side(side), highlight=False)
    if report.outputs:
        console.print(_table(report), highlight=False)
    if verbose:
        for run in report.runs:
            console.print(f"  {run.stage.value:9} {escape(run.title)}", highlight=False)
    for heading, words in sentences(report):
        console.print(f"{heading}: {escape(words)}", highlight=False)
    for line in latency_lines(report.latency) if report.latency is not None else ():
        console.print(escape(line), highlight=False)
    for line in weight_lines(report.weights) if report.weights is not None else ():
        console.print(escape(line), highlight=False)
    for line in training_lines(report.training) if report.training is not None else ():
        console.print(escape(line), highlight=False)
    for line in random_lines(report.random) if report.random is not None else ():
        console.print(escape(line), highlight=False)
    memory = [f"{s.label} {size(s.peak_bytes)}" for s in (report.a, report.b) if s.peak_bytes]
    if memory:
        console.print(f"peak memory: {', '.join(memory)}", highlight=False)
    for finding in report.findings:
        console.print(f"note: {escape(finding)}", highlight=False)
    if report.limits.warning:
        console.print(f"[bold yellow]warning:[/bold yellow] {escape(report.limits.warning)}",
                      highlight=False)  # fmt: skip
    for line in _failures(report):
        console.print(line, highlight=False)
    console.print(_verdict(report), highlight=False)


def _side(side: Side) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in side.versions.items())
    ran = f"{side.runtime} on {side.device}" if side.runtime else "did not load"
    return f"{side.label}: {escape(side.name)} ({ran}{'; ' + versions if versions else ''})"


def _table(report: Report) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column("output", overflow="fold", min_width=8)
    for heading in ("max abs", "of max", "noise", "error", "limit", "cosine", "SNR dB"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    outputs = sorted(report.outputs.values(), key=lambda item: item.passed)
    for item in outputs[:MOST_OUTPUTS]:
        table.add_row(*_row(item))
    if len(outputs) > MOST_OUTPUTS:
        table.add_row(f"... {len(outputs) - MOST_OUTPUTS} more, all of which passed")
    return table


def _row(item: OutputComparison) -> tuple[str, ...]:
    colour = {"ok": "green", "FAIL": "red"}.get(item.verdict, "yellow")
    verdict = f"[{colour}]{item.verdict}[/{colour}]"
    if item.verdict == "random":  # no figures of single elements mean anything
        return (escape(item.name), *[""] * 7, verdict)
    return (
        escape(item.name),
        number(item.max_abs),
        number(item.max_rel),
        "" if item.noise_max is None else number(item.noise_max),
        "" if item.error is None else number(item.error),
        number(item.limit),
        cosine(item.cosine),
        decibel(item.snr_db),
        verdict,
    )


def _failures(report: Report) -> Iterator[str]:
    """Yield what failed, the first of each kind."""
    found = failed(report)
    for kind in Kind:
        items = [item for item in found if item.kind is kind]
        most = MOST_FAILURES.get(kind, len(items))
        yield from (f"[red]failed:[/red] {escape(item.text)}" for item in items[:most])
        if len(items) > most:
            yield f"... and {len(items) - most} more like these"


def _verdict(report: Report) -> str:
    count = len(report.runs)
    ran = f"{count} run{'s' if count != 1 else ''}"
    if report.budget is not None and report.budget.left_out:
        ran += f" ({len(report.budget.left_out)} left out)"
    if report.passed:
        by = " [yellow]by fixed limits[/yellow]" if report.limits.warning else ""
        return f"[bold green]PASSED[/bold green]{by}: {ran}, {len(report.outputs)} output(s)"
    bad = sum(run.stage.failed for run in report.runs)
    if not report.compared and not bad:
        return f"[bold red]FAILED[/bold red]: nothing was compared in {ran}"
    return f"[bold red]FAILED[/bold red]: {bad} of {ran}"
