"""Training parity as a step of a comparison: what is asked of both sides, and what follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.errors import EquiportError, first_line
from converter.signature import Signature, TensorSpec
from verify import matching
from verify.arrays import dtype_name
from verify.inputs import Case
from verify.proof.step import proof_of
from verify.report.result import Report
from verify.report.training import GradientComparison, LossCurve, TrainingParity
from verify.scales import NORMAL
from verify.sides import Failure
from verify.training import comparing
from verify.training.plan import LOSSES, Ability, Arrays, Learned, Plan

if TYPE_CHECKING:
    from verify.job import Job

DECREASE = 0.1
"""By how much of itself the first step of SGD is to lower the loss, as far as it is linear."""

ADAM_RATE = 2.0**-10
"""A power of two: Keras keeps it in float32 whatever the weights are in."""

SEED = 20


class Untrained(Exception):
    """Why nothing can be compared."""


def training_of(
    job: Job, report: Report, cases: list[Case], signature: Signature,
    feeds: list[matching.Feed], views: list[matching.View],
) -> TrainingParity:  # fmt: skip
    """Compare how both sides learn on one of the inputs that they could run."""
    loss = f"{job.options.loss}: {LOSSES[job.options.loss]}"
    try:
        return _Comparison(job, report, cases, signature, feeds, views).result(loss)
    except Untrained as reason:
        return TrainingParity(loss, note=str(reason))
    except (Failure, EquiportError) as error:
        return TrainingParity(loss, note=first_line(error))


class _Comparison:
    """One comparison of training."""

    def __init__(
        self, job: Job, report: Report, cases: list[Case], signature: Signature,
        feeds: list[matching.Feed], views: list[matching.View],
    ) -> None:  # fmt: skip
        self.job, self.signature, self.feeds, self.views = job, signature, feeds, views
        self.sides = {"a": job.a, "b": job.b}
        self.notes: list[str] = []
        self.inputs = self._chosen(report, cases).inputs(signature)
        self.targets, self.outputs, self.axes = self._targets()
        self.proof = job.proof or proof_of(job)
        self.able = {label: self._ability(label) for label in "ab"}

    def result(self, loss: str) -> TrainingParity:
        """Train both in their own precision and in float64."""
        normalise = self._normalises()
        own = {label: self._learn(label, False, normalise) for label in "ab"}
        if not np.isfinite(own["a"].loss):
            raise Untrained(f"a's loss is {own['a'].loss}: it has no gradients to compare")
        rates = self._rates(own["a"])
        wide = self._wide(normalise, rates)
        unmatched = self._unmatched(own)
        gradients, curves = [], []
        exact = self._in_source_layout("a", wide["a"]) if "a" in wide else None
        passes = (
            [own] if own["a"].dtype == "float64" else [own, *([wide] if len(wide) == 2 else [])]
        )
        for learned in passes:
            if rates and not learned["a"].curves:
                for label in "ab":
                    learned[label].curves = self._learn(label, False, normalise, rates).curves
            rows, lines = self._compared(learned, None if learned is wide else exact)
            if learned is wide and not _agree(rows, lines):
                rows, lines = self._again(wide, normalise, rates, rows, lines)
            gradients += rows
            curves += lines
        return TrainingParity(
            loss, tuple(gradients), tuple(curves), tuple(unmatched), "; ".join(self.notes)
        )

    def _chosen(self, report: Report, cases: list[Case]) -> Case:
        """Return the first ordinary case without a size of 1 that both sides could run."""
        ran = [case for case, run in zip(cases, report.runs, strict=False) if len(run.seconds) == 2]
        if not ran:
            raise Untrained("there is no run that both sides did")
        usual = [case for case in ran if case.scale == NORMAL] or ran
        wide = [case for case in usual if min(case.sizes.values(), default=2) > 1]
        return (wide or usual)[0]

    def _targets(self) -> tuple[dict[str, Arrays], dict[str, tuple], dict[str, dict[str, int]]]:
        """Return targets, all outputs and class axes of each side, by its own names."""
        results, failures = self.job.run_both(self.inputs, self.feeds)
        if failures:
            label, failure = next(iter(failures.items()))
            raise Untrained(f"{label} failed when it was run again: {failure.reason}")
        (a, facts_a), (b, facts_b) = results["a"], results["b"]
        pairs = matching.pair_outputs(
            self.signature, a, facts_a["named"], b, facts_b["named"], self.job.options.rename
        )
        targets: dict[str, Arrays] = {"a": {}, "b": {}}
        axes: dict[str, dict[str, int]] = {"a": {}, "b": {}}
        for index, (name, name_a, name_b) in enumerate(pairs):
            left_out = {*self.job.options.ignore, *self.job.random.names}
            if name_a is None or name_b is None or name in left_out:
                continue
            specs = {"a": self.views[0].output(name_a), "b": self.views[1].output(name_b)}
            value = matching.as_source(a[name_a], specs["a"])
            if "float" not in dtype_name(value) or not value.size:
                continue
            target = _target(value.astype(np.float64), self.job.options.loss, SEED + index)
            for label, own in (("a", name_a), ("b", name_b)):
                spec = specs[label]
                targets[label][own] = _as_side(target, spec)
                axes[label][own] = _last_axis(target.ndim, spec)
        if not targets["a"]:
            random = " that is not random" if self.job.random.names else ""
            raise Untrained(f"there is no floating-point output{random} to make a loss of")
        return targets, {"a": tuple(a), "b": tuple(b)}, axes

    def _ability(self, label: str) -> Ability:
        able = self.sides[label].ability()
        if able.reason:
            raise Untrained(f"{label}: {able.reason}")
        return able

    def _normalises(self) -> bool:
        """Tell whether batch normalisation trains on both sides."""
        kinds = {label: able.normalises for label, able in self.able.items()}
        if set(kinds.values()) == {"follows"}:
            return True
        if "follows" in kinds.values():
            label = next(label for label, kind in kinds.items() if kind != "follows")
            self.notes.append(
                f"batch normalisation uses its running statistics on both sides, because {label} "
                "does so in training, too"
            )
        return False

    def _learn(
        self, label: str, wide: bool, normalise: bool, rates: Mapping[str, float] | None = None,
        from_graph: bool = False, graph: str = "",
    ) -> Learned:  # fmt: skip
        self.job.options.progress(f"training {label}{' in float64' if wide else ''}")
        plan = Plan(
            self.job.options.loss, wide, normalise, self.outputs[label], self.axes[label],
            self.job.options.steps if rates else 0, dict(rates or {}), from_graph, graph,
        )  # fmt: skip
        feed = self.feeds["ab".index(label)](self.inputs)
        return self.sides[label].learn(plan, feed, self.targets[label], self.job.signature)

    def _wide(self, normalise: bool, rates: Mapping[str, float]) -> dict[str, Learned]:
        """Train both in float64, those that can be had in it."""
        result = {}
        for label in "ab":
            try:
                result[label] = self._learn(label, True, normalise, rates)
            except (Failure, EquiportError) as error:
                reason = first_line(error)
                if label == "b" and self.proof.recorded and (path := self._source_graph()):
                    self.notes.append(f"float64: b is a's graph rebuilt in its framework: {reason}")
                    result[label] = self._rebuilt_from(path, normalise, rates)
                    continue
                self.notes.append(f"not compared in float64: {label}: {reason}")
            else:
                if result[label].how:
                    self.notes.append(f"float64: {label} is {result[label].how}")
        return result

    def _source_graph(self) -> str:
        """Return the path of a's graph, ``""`` where there is none."""
        import onnx_ir as ir

        graph = self.job.graph("a")
        if graph is None:
            return ""
        path = self.job.folder / "source.onnx"
        ir.save(graph, path, external_data=path.name + ".data")
        return str(path)

    def _rebuilt_from(self, path: str, normalise: bool, rates: Mapping[str, float]) -> Learned:
        """Train what the converter makes of a's graph in b's framework, in float64."""
        plan = Plan(
            self.job.options.loss, True, normalise, self.outputs["a"], self.axes["a"],
            self.job.options.steps if rates else 0, dict(rates), True, path,
        )  # fmt: skip
        inputs = self.feeds[0](self.inputs)
        learned = self.job.b.learn(plan, inputs, self.targets["a"], self.job.signature)
        return replace(learned, of_source=True)

    def _again(
        self, wide: dict[str, Learned], normalise: bool, rates: Mapping[str, float],
        rows: list[GradientComparison], lines: list[LossCurve],
    ) -> tuple[list[GradientComparison], list[LossCurve]]:  # fmt: skip
        """Compare in float64 again with the same constants on both sides.

        A model in float64 has its constants (epsilon, a slope, the root of a width) in float64,
        too; its graph and the target have some of them in float32, which is what the model computes
        with. Only what that explains is looked at again.
        """
        overall = comparing.largest(wide["a"].gradients)
        if not comparing.explained_by_constants(rows, lines, overall):
            return rows, lines
        path = self._source_graph() if self.proof.recorded else ""
        try:
            graphs = {"a": self._learn("a", True, normalise, rates, True, path)}
            if path:
                graphs["b"] = self._rebuilt_from(path, normalise, rates)
            else:
                graphs["b"] = self._learn("b", True, normalise, rates, True)
        except (Failure, EquiportError) as error:
            self.notes.append(f"float64: no graph to compare with: {first_line(error)}")
            return rows, lines
        again = self._compared(graphs, None)
        if not _agree(*again):
            return rows, lines
        graph = "a's graph" if path else "their graphs"
        self.notes = [note for note in self.notes if not note.startswith("float64: ")]
        worst = max((row.max_rel for row in rows if not row.passed), default=0.0)
        self.notes.append(
            f"float64: both are rebuilt from {graph}, because constants that "
            f"only one side has in float32 make up to {worst:.1g} of a gradient"
        )
        return again

    def _rates(self, own: Learned) -> dict[str, float]:
        """Return learning rates, powers of two, so that every step counts and none jumps."""
        square = sum(float(np.sum(np.square(g, dtype=np.float64))) for g in own.gradients.values())
        if not square or not self.job.options.steps:
            return {}
        wish = DECREASE * abs(own.loss) / square if own.loss else ADAM_RATE
        return {"sgd": float(2.0 ** np.floor(np.log2(max(wish, 2.0**-60)))), "adam": ADAM_RATE}

    def _unmatched(self, own: Mapping[str, Learned]) -> list[str]:
        """Return parameters that only one side trains."""
        found = {name: item.targets for name, item in self.proof.found.items() if item.pieces}
        trained = own["b"].gradients
        lacking = [name for name in own["a"].gradients if not _inside(found.get(name, ()), trained)]
        known = {t for name in own["a"].gradients for t in found.get(name, ())}
        return lacking + [f"{name} of b" for name in trained if name not in known]

    def _in_source_layout(self, label: str, learned: Learned) -> Learned:
        """Return a's arrays with what its own record permutes, and its inputs' order, undone."""
        orders = (self.proof.stored_a if label == "a" else None) or {}
        spec_of = self.views["ab".index(label)].input
        fields: dict[str, Any] = {
            kind: {name: _undone(array, orders.get(name)) for name, array in arrays.items()}
            for kind, arrays in _weights_of(learned).items()
        }
        specs = {name: spec_of(name) for name in learned.inputs}
        inputs = {
            name: _undone(array, spec.permutation if (spec := specs[name]) is not None else None)
            for name, array in learned.inputs.items()
        }
        return replace(learned, inputs=inputs, **fields)

    def _compared(
        self, learned: Mapping[str, Learned], exact: Learned | None
    ) -> tuple[list[GradientComparison], list[LossCurve]]:
        a, theirs = self._in_source_layout("a", learned["a"]), learned["b"]
        dtype = a.dtype
        if theirs.of_source:
            theirs = self._in_source_layout("a", theirs)
        overall = comparing.largest(a.gradients)
        rows = comparing.gradients(
            "parameter", dtype, *self._pairs(a.gradients, theirs),
            exact.gradients if exact else None, overall,
        )  # fmt: skip
        rows += comparing.gradients(
            "input", dtype, *self._inputs(a, theirs), exact.inputs if exact else None,
            comparing.largest(a.inputs),
        )  # fmt: skip
        rows += self._statistics(dtype, a, theirs, exact)
        return rows, comparing.curves(dtype, a.curves, theirs.curves, exact.curves if exact else {})

    def _pairs(self, a: Arrays, b: Learned) -> tuple[Arrays, Arrays]:
        """Return gradients of the same names and layout: those of a, and b's for them."""
        mine, theirs = {}, {}
        for name, array in a.items():
            found = self.proof.found.get(name)
            if b.of_source:
                if name in b.gradients:
                    mine[name], theirs[name] = array, b.gradients[name]
            elif found is not None and found.pieces and _inside(found.targets, b.gradients):
                mine[name], theirs[name] = array, found.read(b.gradients)
        return mine, theirs

    def _inputs(self, a: Learned, b: Learned) -> tuple[Arrays, Arrays]:
        names_a = self.feeds[0].names
        names_b = names_a if b.of_source else self.feeds[1].names
        mine, theirs = {}, {}
        for name in names_a:
            own, other = names_a[name], names_b.get(name)
            if own in a.inputs and other in b.inputs:
                spec = self.views[1].input(other) if not b.of_source else None
                order = spec.permutation if spec is not None else None
                mine[name], theirs[name] = a.inputs[own], _undone(b.inputs[other], order)
        return mine, theirs

    def _statistics(
        self, dtype: str, a: Learned, b: Learned, exact: Learned | None
    ) -> list[GradientComparison]:
        """Compare running statistics after one forward pass, where both move them."""
        names = [
            name for name, item in self.proof.found.items()
            if item.pieces and (name in a.after or {name, *item.targets} & set(b.after))
        ]  # fmt: skip
        rows = []
        for name in names:
            found = self.proof.found[name]
            names_b = (name,) if b.of_source else found.targets
            both = name in a.after and _inside(names_b, b.after)
            if not both:
                which = "b" if name in a.after else "a"
                reason = f"{which} does not move its running statistics"
                row = GradientComparison(
                    name, "statistic", np.nan, np.nan, 0.0, False, reason, dtype
                )
                rows.append(row)
                continue
            theirs = b.after[name] if b.of_source else found.read(b.after)
            (row,) = comparing.gradients(
                "statistic", dtype, {name: a.after[name]}, {name: theirs},
                {name: exact.after[name]} if exact and name in exact.after else None,
            )  # fmt: skip
            if not row.passed and row.scale:
                why = comparing.statistics_reason(a.before[name], a.after[name], theirs)
                row = replace(row, reason="; ".join(filter(None, (row.reason, why))))
            rows.append(row)
        return rows


def _agree(rows: list[GradientComparison], lines: list[LossCurve]) -> bool:
    return all(row.passed for row in rows) and all(line.passed for line in lines)


def _weights_of(learned: Learned) -> dict[str, Arrays]:
    return {kind: getattr(learned, kind) for kind in ("gradients", "before", "after")}


def _undone(array: np.ndarray, order: tuple[int, ...] | None) -> np.ndarray:
    if order is None or len(order) != array.ndim:
        return array
    return array.transpose(np.argsort(order))


def _inside(names: Any, arrays: Mapping[str, Any]) -> bool:
    return bool(names) and set(names) <= set(arrays)


def _target(output: np.ndarray, loss: str, seed: int) -> np.ndarray:
    """Return what the loss wants of an output, in the source's layout.

    Numbers of the output's own size, or one class for each position.
    """
    generator = np.random.default_rng(seed)
    if loss == "mse":
        finite = output[np.isfinite(output)]
        size = float(np.sqrt(np.mean(np.square(finite)))) if finite.size else 1.0
        return (generator.standard_normal(output.shape) * (size or 1.0)).astype(np.float32)
    if not output.ndim:
        return np.ones((), np.float32)
    labels = generator.integers(0, output.shape[-1], output.shape[:-1])
    return (labels[..., None] == np.arange(output.shape[-1])).astype(np.float32)


def _as_side(target: np.ndarray, spec: TensorSpec | None) -> np.ndarray:
    if spec is None or spec.permutation is None or len(spec.permutation) != target.ndim:
        return target
    return np.ascontiguousarray(target.transpose(spec.permutation))


def _last_axis(rank: int, spec: TensorSpec | None) -> int:
    """Return where a side has the source's last axis."""
    if spec is None or spec.permutation is None or not rank:
        return max(0, rank - 1)
    return list(spec.permutation).index(rank - 1)
