"""Compare mutants of one model with it, as a user's `verify` does, and read off what caught them.

Three layers are told apart: end to end under the measured tolerance, the weight proof, and node by
node in float64. A mutant is caught if any of them fails.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.allclose import TOLERANCES, same_bits, tells
from benchmarks.mutants.models import TYPICAL, Subject
from benchmarks.mutants.plant import Mutant
from benchmarks.mutants.recorded import KeptSide, RecordedExecutions, RecordedSide
from benchmarks.mutants.unchanged import why_unchanged
from converter.errors import EquiportError, UnreadableModelError, first_line
from verify import locate
from verify.arguments import Options
from verify.aside import Aside
from verify.executions import executions
from verify.inputs import random_inputs
from verify.job import Job
from verify.report.location import Depth
from verify.report.result import Report, Stage
from verify.sides import Failure
from verify.tolerance import tolerance

ROUNDING = 1e-12
"""A difference in float64 of less than this, relative to the largest value, is another order of the
same additions."""


@dataclass
class Verdict:
    """What became of one mutant.

    Attributes:
        model, kind, node, ordinal, operator: which fault, where.
        runs: it is a graph that ONNX Runtime runs on at least one of the inputs.
        changed: some output in float64 differs from the original's by more than float64's own
            rounding, or the layers end to end fail it.
        bits: some output differs in any bit, in float32 or in float64.
        end_to_end: the measured tolerance fails it.
        proof: the weight proof fails it.
        depth: the comparison node by node fails it.
        found: names of the nodes at which that says an error begins, first one first.
        right: the first of them is where the fault was planted; ``None`` if there is none.
        allclose: what `numpy.allclose` says, by tolerance.
        closest: largest ``rms / rms_limit`` of any output of any run.
        reason: the first failure of the report, or what limits a layer.
        seconds: that judging it took.
        why: why it may change nothing; said only where nothing changed and nothing caught it.
    """

    model: str
    kind: str
    node: int
    ordinal: int
    operator: str
    runs: bool = True
    changed: bool = True
    bits: bool = True
    end_to_end: bool = False
    proof: bool = False
    depth: bool = False
    found: list[str] = field(default_factory=list)
    right: bool | None = None
    allclose: dict[str, bool] = field(default_factory=dict)
    closest: float = 0.0
    reason: str = ""
    seconds: float = 0.0
    why: str = ""

    @property
    def caught(self) -> bool:
        """Whether any layer fails it."""
        return self.end_to_end or self.proof or self.depth

    def to_data(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


class Judge:
    """One model, and everything of it that is the same for each of its mutants."""

    def __init__(self, subject: Subject, seeds: int = 3) -> None:
        self.subject, self.seeds = subject, seeds
        self.source = RecordedSide("a", subject.source)
        self.executions = RecordedExecutions(executions(subject.graph))
        self.inputs = random_inputs(subject.signature, TYPICAL, 0)
        self.recordings: dict[int, Any] = {}
        self.aside = Aside()
        original = KeptSide("b", subject.graph)
        self.report = self._compare(original)
        self.original = original.kept

    def judge(self, mutant: Mutant) -> Verdict:
        """Return what catches a mutant."""
        place = mutant.place
        verdict = Verdict(self.subject.name, place.kind, place.node, place.ordinal, mutant.operator)
        target = KeptSide("b", mutant.model)
        try:
            report = self._compare(target)
        except UnreadableModelError as error:
            verdict.runs, verdict.reason = False, first_line(error)
            return verdict
        if not any(outputs is not None for outputs in target.kept.values()):
            verdict.runs, verdict.reason = False, (report.failures or ["it does not run"])[0]
            return verdict
        verdict.end_to_end = _end_to_end(report)
        verdict.proof = report.weights is not None and not report.weights.passed
        verdict.reason = (report.failures or [""])[0]
        verdict.closest = _closest(report)
        verdict.allclose = {
            name: tells(*pair, self.original, target.kept) for name, pair in TOLERANCES.items()
        }
        self._look_inside(mutant, verdict, report)
        if not verdict.end_to_end:
            moved = self._moved_in_float64(mutant.model, report)
            verdict.changed = moved > ROUNDING
            verdict.bits = moved > 0 or not same_bits(self.original, target.kept)
            if not verdict.changed and not verdict.caught:
                node = list(self.subject.graph.graph.all_nodes())[place.node]
                verdict.why = why_unchanged(place, node, self.subject.facts)
        return verdict

    def _compare(self, target: KeptSide) -> Report:
        options = Options(
            tolerance=tolerance(), seeds=self.seeds, rename={}, ignore=(),
            sizes=dict(self.subject.sizes), latency=False, max_slowdown=None, noise={},
            graph=self.subject.graph, progress=lambda text: None, frozen=False, locate=False,
        )  # fmt: skip
        with tempfile.TemporaryDirectory(prefix="equiport-mutants-") as folder:
            job = Job(
                self.source, target, options, Path(folder), self.aside, executions=self.executions
            )
            try:
                return job.run(self.subject.signature, None, None)
            finally:
                target.close()

    def _look_inside(self, mutant: Mutant, verdict: Verdict, report: Report) -> None:
        """Compare node by node and see whether the right node is named first.

        What `Verdict.depth` says is said of one ordinary set of inputs. Where nothing shows on
        those but a run failed, the nodes are those that are named on that run's inputs.
        """
        depth = self._depth(mutant.model, -1, verdict)
        verdict.depth = depth is not None and not depth.passed
        failed = [i for i, run in enumerate(report.runs) if run.stage is Stage.MISMATCH]
        if not verdict.depth and failed:
            depth = self._depth(mutant.model, failed[0], verdict)
        verdict.found = [node.node for node in depth.origins][:8] if depth is not None else []
        if verdict.found:
            verdict.right = verdict.found[0] in mutant.truth

    def _depth(self, model: ir.Model, run: int, verdict: Verdict) -> Depth | None:
        """Compare node by node on the inputs of a run (-1: on ordinary ones)."""
        inputs = self._cases(self.report)[run] if run >= 0 else self.inputs
        try:
            if run not in self.recordings:
                for old in [key for key in self.recordings if key >= 0]:
                    del self.recordings[old]
                self.recordings[run] = locate.record(self.subject.graph, inputs)
            return locate.locate_graphs(self.recordings[run], model, inputs)
        except (EquiportError, Failure, ValueError, RuntimeError) as error:
            verdict.reason = verdict.reason or f"node by node: {error}"
            return None

    def _moved_in_float64(self, model: ir.Model, report: Report) -> float:
        """Return how far any output is from the original's in float64, relative to its peak.

        Largest over the inputs of all runs and the ordinary ones; infinite where the mutant cannot
        run in float64.
        """
        runs, moved = executions(model), 0.0
        names = [value.name for value in self.subject.graph.graph.outputs if value.name]
        cases = self._cases(report)
        ran = [case for case, run in zip(cases, report.runs, strict=True) if run.stage is Stage.OK]
        for case in (*ran, self.inputs):
            try:
                theirs = runs.exact(case)
            except (EquiportError, ValueError, RuntimeError, TypeError, IndexError, KeyError):
                return np.inf
            ours = self.executions.exact(case)
            moved = max(moved, *(_distance(ours[name], theirs.get(name)) for name in names))
        return moved

    def _cases(self, report: Report) -> list[Mapping[str, np.ndarray]]:
        from verify.inputs import cases

        signature = self.subject.signature
        planned = cases(signature, self.seeds, dict(self.subject.sizes))
        return [case.inputs(signature) for case in planned]


def _distance(ours: np.ndarray, theirs: np.ndarray | None) -> float:
    """Return the largest difference relative to the largest value, both finite or equal."""
    if theirs is None or ours.shape != theirs.shape:
        return np.inf
    if ours.dtype.kind != "f":
        return 0.0 if np.array_equal(ours, theirs) else np.inf
    finite = np.isfinite(ours) & np.isfinite(theirs)
    if not np.array_equal(ours[~finite], theirs[~finite], equal_nan=True):
        return np.inf
    difference = float(np.abs(ours[finite] - theirs[finite]).max(initial=0.0))
    return difference / float(np.abs(ours[finite]).max(initial=0.0) or 1.0)


def _end_to_end(report: Report) -> bool:
    return any(run.stage.failed for run in report.runs)


def _closest(report: Report) -> float:
    ratios = [
        item.rms / item.rms_limit
        for run in report.runs
        for item in run.outputs.values()
        if item.rms_limit
    ]
    return max((ratio for ratio in ratios if np.isfinite(ratio)), default=0.0)
