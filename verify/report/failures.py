"""What failed in a comparison, one by one: reports differ only in how they show it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from verify.report.location import NodeComparison

if TYPE_CHECKING:
    from verify.report.result import Report, Run


class Kind(StrEnum):
    """What sort of failure it is."""

    MISMATCH = "mismatch"
    RUN = "run"
    COMPARISON = "comparison"
    LATENCY = "latency"
    WEIGHT = "weight"
    NODE = "node"
    TRAINING = "training"
    RANDOM = "random"


@dataclass(frozen=True)
class Failed:
    """One thing that failed.

    Attributes:
        kind: the sort of failure.
        text: one line that says what and where.
        output: name of the output, of a mismatch.
        node: where the error begins, of a node.
    """

    kind: Kind
    text: str
    output: str = ""
    node: NodeComparison | None = None


def failed(report: Report) -> list[Failed]:
    """Return all that failed, runs first."""
    found = [item for run in report.runs for item in _in_run(run)]
    if not report.compared and not any(run.stage.failed for run in report.runs):
        found.append(Failed(Kind.COMPARISON, f"nothing was compared: {_why_nothing(report)}"))
    return [
        *found,
        *_latency(report),
        *_weights(report),
        *_nodes(report),
        *_training(report),
        *_random(report),
    ]


def _why_nothing(report: Report) -> str:
    """Say why no run compared anything, the commonest reason first."""
    counts = Counter(run.uncompared.words for run in report.runs if run.uncompared is not None)
    reasons = [f"{words} ({count} of {len(report.runs)} runs)"
               for words, count in counts.most_common()]  # fmt: skip
    return "; ".join(reasons) or "there was no run"


def _in_run(run: Run) -> Iterator[Failed]:
    wrong = [item for item in run.outputs.values() if not item.passed]
    for item in wrong:
        text = f"{run.title}: {item.name}: {item.reason}"
        yield Failed(Kind.MISMATCH, text, output=item.name)
    if run.stage.failed and not wrong:
        where = f" in {run.side}" if run.side else ""
        yield Failed(Kind.RUN, f"{run.title}: {run.stage.value}{where}: {run.reason}")


def _latency(report: Report) -> Iterator[Failed]:
    latency = report.latency
    if latency is not None and not latency.passed:
        low, high = latency.interval or (latency.ratio, latency.ratio)
        sure = f" ({low:.3g} to {high:.3g} at 95 %)" if latency.interval else ""
        text = (f"latency: b takes {latency.ratio:.3g} times as long as a{sure}, "
                f"{latency.max_slowdown:g} is allowed")  # fmt: skip
        yield Failed(Kind.LATENCY, text)


def _weights(report: Report) -> Iterator[Failed]:
    for item in report.weights.weights if report.weights is not None else ():
        if item.match.failed:
            text = f"weight {item.name}: {item.match.value}: {item.reason}".rstrip(": ")
            yield Failed(Kind.WEIGHT, text)


def _nodes(report: Report) -> Iterator[Failed]:
    for node in report.depth.origins if report.depth is not None else ():
        where = ", ".join(filter(None, (node.op, node.module_path, node.source_line)))
        text = (f"node {node.node} ({where}): error {node.error:.3g} begins here, "
                f"{node.limit:.3g} is its limit")  # fmt: skip
        yield Failed(Kind.NODE, text, node=node)


def _training(report: Report) -> Iterator[Failed]:
    training = report.training
    if training is None or training.passed:
        return
    lines = [f"gradient of {item.name}: {item.reason}"
             for item in training.gradients if not item.passed]  # fmt: skip
    lines += [f"training with {curve.optimizer} in {curve.dtype}: the losses part"
              for curve in training.curves if not curve.passed]  # fmt: skip
    lines += [f"{name} is trained by one side alone" for name in training.unmatched]
    if not training.gradients:
        lines.append(f"training was not compared: {training.note}")
    for line in lines:
        yield Failed(Kind.TRAINING, line)


def _random(report: Report) -> Iterator[Failed]:
    part = report.random
    if part is None:
        return
    for item in part.outputs:
        if not item.passed:
            yield Failed(Kind.RANDOM, f"random output {item.name}: {item.reason}")
    if not part.outputs:
        yield Failed(Kind.RANDOM, f"random outputs were not compared: {part.note}")
