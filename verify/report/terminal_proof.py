"""The terminal's lines on weights and on training."""

from __future__ import annotations

from collections import Counter

from verify.report.numbers import number
from verify.report.proof import Match, WeightProof
from verify.report.training import LossCurve, TrainingParity

WORDS = {
    Match.SAME: "the same",
    Match.PERMUTED: "permuted",
    Match.CAST: "cast",
    Match.FOLDED: "in parts or folded",
    Match.DIFFERENT: "DIFFERENT",
    Match.MISSING: "MISSING",
    Match.UNUSED: "unused",
    Match.UNKNOWN: "unknown",
}


def weight_lines(proof: WeightProof) -> list[str]:
    """Return one line on what became of the weights, and one on what limits the proof."""
    lines = []
    if proof.weights:
        counts = Counter(item.match for item in proof.weights)
        told = ", ".join(f"{counts[kind]} {WORDS[kind]}" for kind in Match if counts[kind])
        extra = f"; b has {len(proof.extra)} more" if proof.extra else ""
        lines.append(f"weights: {told}, of {len(proof.weights)}{extra}")
    if proof.note:
        lines.append(f"weights: {proof.note}")
    return lines


def training_lines(training: TrainingParity) -> list[str]:
    """Return lines on gradients, statistics and loss curves."""
    lines = []
    for dtype in dict.fromkeys(item.dtype for item in training.gradients):
        items = [item for item in training.gradients if item.dtype == dtype]
        worst = max(items, key=lambda item: item.max_rel / item.limit if item.limit else 0.0)
        good = sum(item.passed for item in items)
        lines.append(
            f"training in {dtype}: {good} of {len(items)} gradients and statistics agree; "
            f"nearest to its limit: {worst.name}, {number(worst.max_rel)} of its largest element"
        )
    lines += [_curve(curve) for curve in training.curves]
    if training.note:
        lines.append(f"training: {training.note}")
    return lines


def _curve(curve: LossCurve) -> str:
    verdict = "ok" if curve.passed else "FAIL"
    steps = len(curve.a) - 1
    ends = f"{curve.a[0]:.6g} to {curve.a[-1]:.6g}, b to {curve.b[-1]:.6g}"
    return f"loss in {steps} steps of {curve.optimizer} ({curve.dtype}): {ends}: {verdict}"
