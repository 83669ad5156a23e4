"""The report as Markdown, for the summary of a CI job."""

from __future__ import annotations

from pathlib import Path

from converter.errors import OutputError
from verify.report.files import write_text
from verify.report.numbers import cosine, decibel, number, size
from verify.report.randomness import random_lines
from verify.report.result import Report
from verify.report.sentences import latency_lines, sentences
from verify.report.terminal_proof import training_lines, weight_lines


def to_markdown(report: Report) -> str:
    """Return the Markdown text."""
    verdict = "✅ passed" if report.passed else "❌ failed"
    lines = [f"### {_cell(report.a.name)} → {_cell(report.b.name)}: {verdict}", ""]
    for side in (report.a, report.b):
        versions = ", ".join(f"{name} {version}" for name, version in side.versions.items())
        memory = f", peak memory {size(side.peak_bytes)}" if side.peak_bytes else ""
        ran = f"{side.runtime} on {side.device}" if side.runtime else "did not load"
        lines.append(f"- **{side.label}** `{side.name}`: {ran} ({versions}){memory}")
    if report.outputs:
        lines += ["", "| output | max abs | mean abs | of max | limit | cosine | SNR dB | |"]
        lines.append("|---|--:|--:|--:|--:|--:|--:|---|")
    for item in report.outputs.values():
        cells = [
            f"`{item.name}`", number(item.max_abs), number(item.mean_abs), number(item.max_rel),
            number(item.limit), cosine(item.cosine), decibel(item.snr_db),
            item.verdict if item.passed else "**FAIL**",
        ]  # fmt: skip
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    parts = [f"- {_cell(line)}" for line in weight_lines(report.weights)] if report.weights else []
    parts += [f"- **{heading}**: {_cell(words)}" for heading, words in sentences(report)]
    if report.training is not None:
        parts += [f"- {_cell(line)}" for line in training_lines(report.training)]
    if report.random is not None:
        parts += [f"- {_cell(line)}" for line in random_lines(report.random)]
    lines += ["", *parts] if parts else []
    if report.latency is not None:
        lines += ["", *(f"- {_cell(line)}" for line in latency_lines(report.latency))]
    if report.limits.warning:
        lines += ["", f"> ⚠️ **warning**: {_cell(report.limits.warning)}"]
    if report.failures or report.findings:
        lines.append("")
    lines += [f"- failed: {_cell(line)}" for line in report.failures]
    lines += [f"- note: {_cell(line)}" for line in report.findings]
    return "\n".join(lines) + "\n"


def write(report: Report, path: str | Path | None) -> str:
    """Return the Markdown text, and write it if there is a path.

    Raises:
        OutputError: the file cannot be written.
    """
    text = to_markdown(report)
    if path is not None:
        write_text(text, path)
    return text


def append(report: Report, path: str | Path) -> None:
    """Add the Markdown to the end of a file: a job's summary holds what several steps say.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"\n{to_markdown(report)}")
    except OSError as error:
        raise OutputError(f"the summary {path} cannot be written: {error.strerror}") from error


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
