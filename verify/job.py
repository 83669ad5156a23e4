"""One comparison: load both sides, make inputs, run, compare."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.errors import EquiportError, UsageError, first_line
from converter.signature import Signature
from verify import calls, causes, matching, unordered
from verify import compare as comparing
from verify import inputs as making
from verify.arguments import Options
from verify.budget import Budget, left_out, most_telling_first
from verify.data import OwnData
from verify.decisions import undecided
from verify.digest import of_inputs
from verify.kept import shown
from verify.measuring import Measurer
from verify.plan import evened, narrowed, plan
from verify.progress import Step
from verify.random_outputs.dependence import RandomParts
from verify.report.outline import outline
from verify.report.result import (
    Criterion,
    Limits,
    OutputComparison,
    Report,
    Run,
    Side,
    Stage,
    Uncompared,
)
from verify.sides import Failure, LiveSide
from verify.validity import NumbersSeen, counted, never_compared, nothing_but_noise
from verify.worker_side import WorkerSide

if TYPE_CHECKING:
    import onnx_ir as ir

    from verify.aside import Aside
    from verify.examples import Examples
    from verify.executions import Executions
    from verify.proof import Proof

AnySide = LiveSide | WorkerSide


@dataclass(frozen=True)
class Untraced:
    """Why a side is not to be had as a graph, and what its error said to do."""

    reason: str
    hint: str


@dataclass
class Job:
    """One comparison under way.

    Attributes:
        aside: runs graphs in runtimes that nobody asked for.
        executions: what runs the source's graph, where the caller has it from an earlier job.
        untraced: why a side has no graph, by label.
        limits: what decides how far b may be from a, as far as the measuring found out.
        examples: the user's example inputs, where there are some.
        random: which outputs depend on random numbers.
    """

    a: AnySide
    b: AnySide
    options: Options
    folder: Path
    aside: Aside
    findings: list[str] = field(default_factory=list)
    measurer: Measurer | None = None
    signature: Signature | None = None
    seen: NumbersSeen = field(default_factory=NumbersSeen)
    graphs: dict[str, ir.Model | None] = field(default_factory=dict)
    proof: Proof | None = None
    executions: Executions | None = None
    untraced: dict[str, Untraced] = field(default_factory=dict)
    limits: Limits | None = None
    calls: calls.Calls | None = None
    examples: Examples | None = None
    random: RandomParts = field(default_factory=RandomParts)
    budget: Budget = field(default_factory=Budget)

    def run(self, declared: Signature | None, own_data: OwnData | None, wanted: Any) -> Report:
        """Load, make inputs, run, compare."""
        report = Report(_blank(self.a), _blank(self.b), findings=self.findings)
        self.options.progress(f"loading {self.a.name} and {self.b.name}")
        failures, known = self._load()
        for side, description in zip((report.a, report.b), known, strict=True):
            _describe(side, description)
        if failures:
            report.runs = [
                Run("load", None, {}, failure.stage, label, failure.reason)
                for label, failure in failures
            ]
            self._memory(report)
            return report
        if wanted:
            _refuse_unused(wanted, report)
        views = [_view(label, d) for label, d in zip("ab", known, strict=True)]
        self.calls, views = calls.known(declared, views)
        signature, cases = plan(self, declared, own_data, views)
        self.signature = signature
        report.inputs = {s.name: str(s).removeprefix(f"{s.name}:") for s in signature.inputs}
        if self.options.weights:
            from verify.proof.step import proof_of

            self.proof = proof_of(self)
            report.weights = self.proof.report
        self.measurer = Measurer(self, views[0], report.a.framework)
        feeds = [
            matching.feed(signature, views[0], {}, self.findings),
            matching.feed(signature, views[1], self.options.rename, self.findings),
        ]
        self._begin()
        planned = calls.sequences(cases) if self.calls else cases
        self.budget.begin()
        done = self._runs(planned, signature, feeds, views, {}, most=1)
        if self._keeps(next(iter(done.values()))):
            planned, done, self.seen = calls.sequences(planned), {}, NumbersSeen()
        done = self._runs(planned, signature, feeds, views, done)
        if self.seen.nan and (narrower := narrowed(self, signature, planned)):
            signature, planned = narrower
            planned = calls.sequences(planned) if self.calls else planned
            self.signature, self.seen = signature, NumbersSeen()
            self.budget.left_out.clear()
            done = self._runs(planned, signature, feeds, views, {})
        if _all_refused(done) and (even := evened(self, signature, planned)):
            signature, planned = even
            planned = calls.sequences(planned) if self.calls else planned
            self.seen = NumbersSeen()
            self.budget.left_out.clear()
            done = self._runs(planned, signature, feeds, views, {})
        cases, report.runs = _in_order(planned, done)
        if self.random.unseen(self, report, cases, feeds, views):
            self.budget.left_out.clear()
            done = self._runs(planned, signature, feeds, views, {})
            cases, report.runs = _in_order(planned, done)
        if self.random.names:
            from verify.random_outputs.step import in_distribution

            report.random = in_distribution(self, report, cases, feeds, views)
        report.limits = self._limits(report)
        self.findings += self.seen.findings()
        self._refusals(report)
        self.findings += never_compared(report.runs)
        self.findings += undecided(report.runs)
        causes.look(self, report, cases, feeds, views)
        if self.options.deep or self.options.locate:
            from verify.locate.step import locate

            locate(self, report, cases, feeds, views)
        if self.options.grad:
            from verify.training.step import training_of

            report.training = training_of(self, report, cases, signature, feeds, views)
        if self.options.latency:
            from verify.timing_step import timed

            timed(self, report, cases, signature, feeds)
        if self.options.graphs:
            traced = {label: self.graph(label) for label in "ab"}
            report.graphs = {k: outline(graph) for k, graph in traced.items() if graph is not None}
        self._memory(report)
        report.budget = self.budget.told()
        if (line := left_out(report.budget, len(report.runs))) is not None:
            self.findings.append(line)
        return report

    def graph(self, label: str) -> ir.Model | None:
        """Return a side as an ONNX graph, traced once; ``None`` with a finding where it cannot be.

        The graph of a is the one that the caller gave, where it gave one.
        """
        if label == "a" and self.options.graph is not None:
            return self.options.graph
        if label not in self.graphs:
            side = self.a if label == "a" else self.b
            self.options.progress(f"tracing {side.name}")
            try:
                self.graphs[label] = side.graph(self.signature)
            except (Failure, EquiportError) as error:
                self.graphs[label] = None
                hint = getattr(error, "hint", None) or ""
                self.untraced[label] = Untraced(first_line(error), hint)
                if label == "b" or not self.options.tolerance.measured:  # else the limits tell it
                    reason = self.untraced[label].reason
                    self.findings.append(f"{label} could not be traced to ONNX: {reason}")
        return self.graphs[label]

    def _limits(self, report: Report) -> Limits:
        """Say what decided."""
        wanted = self.options.tolerance
        if not any(run.outputs for run in report.runs):
            return Limits()
        if not wanted.automatic:
            return Limits(Criterion.NUMBERS)
        if wanted.fixed:
            return Limits(Criterion.FIXED)
        return self.limits or Limits(Criterion.NOISE)

    def _load(self) -> tuple[list[tuple[str, Failure]], list[dict[str, Any]]]:
        """Load both sides, at the same time where they are workers."""
        failures, known = [], []
        for side in (self.a, self.b):
            side.begin_load()
        for side in (self.a, self.b):
            try:
                known.append(side.end_load())
            except Failure as failure:
                failures.append((side.label, failure))
                known.append({})
        return failures, known

    def _begin(self) -> None:
        """Let both sides remember what they hold."""
        try:
            if self.calls is not None:
                self.calls.begin(self)
            else:
                for side in (self.a, self.b):
                    side.keep([], self.folder / "kept")
        except Failure:  # the first run tells what is wrong
            self.calls = None

    def _keeps(self, run: Run) -> bool:
        """Tell whether a holds something else after its first run; then both sides are put back."""
        if self.calls is not None or run.stage not in (Stage.OK, Stage.MISMATCH):
            return False
        if changed := self.a.changed():
            self.findings.append(f"a changes {', '.join(changed)} in each call")
            self.calls = calls.Calls(tuple(changed))
            self.calls.begin(self)
        return bool(changed)

    def _runs(
        self, cases: list[making.Case], signature: Signature, feeds: list[matching.Feed],
        views: list[matching.View], done: dict[int, Run], most: int | None = None,
    ) -> dict[int, Run]:  # fmt: skip
        """Run the most telling cases first, as far as there is time.

        Args:
            done: runs that were made, by the place of their case.
            most: how many to make, at most.

        Returns:
            Those, and the new ones.
        """
        done = dict(done)
        order = most_telling_first(cases, signature)
        waiting = [place for place in order if place not in done][:most]
        for count, place in enumerate(waiting):
            case = cases[place]
            if not self.budget.another():
                self.budget.leave_out(_title(case))
                continue
            left = self.budget.remaining(len(waiting) - count)
            self.options.progress(Step(f"running {_title(case)}", len(done) / len(order), left))
            start = self.budget.spent
            run = self._compare(case, signature, feeds, views)
            done[place] = replace(run, digest=of_inputs(case.inputs(signature)))
            self.budget.ran(self.budget.spent - start)
        return done

    def _compare(
        self, case: making.Case, signature: Signature, feeds: list[matching.Feed],
        views: list[matching.View],
    ) -> Run:  # fmt: skip
        """Run both sides on one case and compare; what goes wrong becomes the row."""
        inputs = case.inputs(signature)
        results, failures = self.run_case(case, signature, feeds)
        seconds = {label: facts["seconds"] for label, (_, facts) in results.items()}
        run = Run(case.label, case.seed, case.sizes, Stage.OK, seconds=seconds)
        if failures:
            return _not_run(run, failures, case.optional)
        outputs = self._outputs(feeds[0](inputs), results, signature, views)
        if case.scale and (noisy := nothing_but_noise(outputs)):
            why, reason = noisy
            return replace(run, stage=Stage.REFUSED, side="a", uncompared=why, reason=reason)
        wrong = [item for item in outputs.values() if not item.passed]
        if wrong and case.undeclared_empty and all(item.other_shape is not None for item in wrong):
            reason = "; ".join(f"{item.name}: {item.reason}" for item in wrong)
            return replace(run, stage=Stage.NOTHING, uncompared=Uncompared.SHAPE, reason=reason)
        if not outputs:
            reason = "the models return nothing to compare"
            return replace(run, stage=Stage.MISMATCH, reason=reason)
        return counted(replace(run, stage=Stage.MISMATCH if wrong else Stage.OK, outputs=outputs))

    def _outputs(
        self, inputs: Mapping[str, np.ndarray], results: Mapping[str, Any], signature: Signature,
        views: list[matching.View],
    ) -> dict[str, OutputComparison]:  # fmt: skip
        """Compare each output, those that only one side has included; ``inputs`` are a's."""
        values_a, values_b = matching.under_one_name(signature, views, results, self.options.rename)
        self.seen.see(values_a)
        if self.options.unordered:
            unordered.check(self.options.unordered, values_a)
            values_b = unordered.aligned(values_a, values_b, self.options.unordered)
        for values, label in ((values_a, "a"), (values_b, "b")):
            kept = results[label][1].get("kept", {})
            both = [name for name in kept if all(name in results[x][1]["kept"] for x in "ab")]
            values |= {shown(name): kept[name] for name in both}
        every = dict.fromkeys([*values_a, *values_b])
        wanted = [name for name in every if name not in self.options.ignore]
        noises = self.measurer.noise(inputs, values_a) if self.measurer else {}
        outputs = {}
        for name in wanted:
            if name in self.random.names and name in values_a and name in values_b:
                outputs[name] = comparing.drawn(name, values_a[name], values_b[name])
            elif name in values_a and name in values_b:
                outputs[name] = comparing.compare(
                    name, values_a[name], values_b[name], self.options.tolerance,
                    noises.get(name) or self.options.noise.get(name),
                )  # fmt: skip
            elif name in values_a:
                reason = f"b has no such output; it has {', '.join(results['b'][0]) or 'none'}"
                outputs[name] = comparing.failed(name, values_a[name], reason)
            else:
                reason = f"a has no such output; it has {', '.join(results['a'][0]) or 'none'}"
                outputs[name] = comparing.failed(name, values_b[name], reason)
        return outputs

    def run_case(
        self, case: making.Case, signature: Signature, feeds: list[matching.Feed]
    ) -> tuple[dict[str, Any], dict[str, Failure]]:
        """Run both sides on a case, after the calls that come before it."""
        before = [earlier.inputs(signature) for earlier in case.after]
        return self.run_both(case.inputs(signature), feeds, before)

    def run_both(
        self, inputs: Mapping[str, np.ndarray], feeds: list[matching.Feed],
        before: Sequence[Mapping[str, np.ndarray]] = (),
    ) -> tuple[dict[str, Any], dict[str, Failure]]:  # fmt: skip
        """Run both sides, at the same time where they are workers.

        Args:
            before: inputs of the calls before, where the sides keep something between calls; they
                begin as they were loaded.
        """
        if self.calls is None:
            return self._call(inputs, feeds)
        try:
            self.calls.reset(self)
        except Failure as failure:
            return {}, {"a": failure}
        for given in before:
            results, failures = self._call(given, feeds)
            if failures:
                return results, failures
            self.calls.before.append(feeds[0](given))
        return self._call(inputs, feeds)

    def _call(
        self, inputs: Mapping[str, np.ndarray], feeds: list[matching.Feed]
    ) -> tuple[dict[str, Any], dict[str, Failure]]:
        shutil.rmtree(self.folder / "run", ignore_errors=True)
        results: dict[str, Any] = {}
        failures: dict[str, Failure] = {}
        started = []
        for side, feed in zip((self.a, self.b), feeds, strict=True):
            try:
                if not side.usable:
                    raise Failure(Stage.CRASH, "not run: it crashed or hung before")
                if isinstance(side, WorkerSide):
                    side.restart()
                kept = self.calls.fed(side.label) if self.calls else {}
                side.begin_run(feed(inputs) | kept, self.folder / "run")
                started.append(side)
            except Failure as failure:
                failures[side.label] = failure
        for side in started:
            try:
                outputs, facts = side.end_run()
                if self.calls:
                    outputs, facts["kept"] = self.calls.taken(side.label, outputs)
                results[side.label] = outputs, facts
            except Failure as failure:
                failures[side.label] = failure
        return results, failures

    def _refusals(self, report: Report) -> None:
        """Note each reason for which inputs were not compared, once.

        That no rows are refused by a, or give no elements, is as it should be: the run's row says
        so.
        """
        told: dict[tuple[Uncompared, str], list[str]] = {}
        for run in report.runs:
            why, empty = run.uncompared, 0 in run.sizes.values()
            if why is None or why in (Uncompared.EMPTY, Uncompared.RANDOM):
                continue
            if why is not Uncompared.A_REFUSES or not empty:
                told.setdefault((why, run.reason), []).append(run.title)
        for (why, reason), titles in told.items():
            line = f"not compared, {why.words}: {'; '.join(titles)}: {reason}"
            self.findings.append(line.removesuffix(": "))

    def _memory(self, report: Report) -> None:
        report.a.peak_bytes, report.b.peak_bytes = self.a.peak_bytes, self.b.peak_bytes


def _all_refused(done: Mapping[int, Run]) -> bool:
    """Tell whether neither side took any of the inputs."""
    refusals = (Uncompared.BOTH_REFUSE, Uncompared.A_REFUSES)
    return bool(done) and all(
        run.stage is Stage.REFUSED and run.uncompared in refusals for run in done.values()
    )


def _not_run(run: Run, failures: Mapping[str, Failure], optional: str) -> Run:
    """Return the row of a run that did not come to its end on both sides.

    Args:
        optional: the sides that may refuse it. A crash or a hang is no refusal.
    """
    first = min(failures)
    failure = failures[first]
    allowed = failure.stage is Stage.RUN and first in optional
    if allowed and (first == "a" or failure.refused):
        why = Uncompared.A_REFUSES if first == "a" else Uncompared.B_REFUSES
        why = Uncompared.BOTH_REFUSE if len(failures) == 2 else why
        return replace(run, stage=Stage.REFUSED, side=first, uncompared=why, reason=failure.reason)
    stage, side, reason = _blame(failures)
    uncompared = Uncompared.BOTH_REFUSE if stage is Stage.REFUSED else None
    return replace(run, stage=stage, side=side, reason=reason, uncompared=uncompared)


def _in_order(
    planned: list[making.Case], done: Mapping[int, Run]
) -> tuple[list[making.Case], list[Run]]:
    """Return the cases that were run and their runs, as they were planned, whatever ran first."""
    places = sorted(done)
    return [planned[place] for place in places], [done[place] for place in places]


def _blame(failures: Mapping[str, Failure]) -> tuple[Stage, str, str]:
    """Return stage, side and reason of a run that did not come to its end."""
    if len(failures) == 1:
        label, failure = next(iter(failures.items()))
        return failure.stage, label, failure.reason
    reason = "; ".join(f"{label}: {failure.reason}" for label, failure in failures.items())
    stages = [failure.stage for failure in failures.values()]
    if all(f.refused and f.stage is Stage.RUN for f in failures.values()):
        return Stage.REFUSED, "", reason
    return next((stage for stage in stages if stage is not Stage.RUN), Stage.RUN), "", reason


def _blank(side: AnySide) -> Side:
    return Side(side.label, Path(side.name).name if isinstance(side, WorkerSide) else side.name,
                live=side.live, device=side.device)  # fmt: skip


def _describe(side: Side, description: Mapping[str, Any]) -> None:
    for name in ("framework", "kind", "runtime", "versions", "load_seconds"):
        if name in description:
            setattr(side, name, description[name])


def _view(label: str, description: Mapping[str, Any]) -> matching.View:
    told = description["signature"]
    signature = Signature.from_json(told) if told is not None else None
    return matching.View(label, signature, description["input_names"])


def _refuse_unused(wanted: dict[str, list[str]], report: Report) -> None:
    """Refuse a runtime that was asked for and runs neither side."""
    used = {"a": report.a, "b": report.b}
    for name in {*wanted["a"], *wanted["b"]}:
        askers = [label for label in "ab" if name in wanted[label]]
        if not any(used[label].runtime == name for label in askers):
            able = ", ".join(f"{label} runs in {used[label].runtime}" for label in askers)
            raise UsageError(f"the runtime {name} runs neither side" if len(askers) == 2 else
                             f"the runtime {name} does not run {askers[0]}",
                             hint=f"Now {able}.")  # fmt: skip


def _title(case: making.Case) -> str:
    return Run(case.label, case.seed, case.sizes, Stage.OK).title
