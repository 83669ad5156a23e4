"""The noise of each run of a job: the source's graph, run beside it and checked against it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.errors import ConversionError, EquiportError, first_line
from converter.graph.state import explicit
from converter.signature import State
from verify import matching
from verify.calls import Threaded
from verify.decisions import DecisionNoise
from verify.executions import Arrays, Executions, InOnnxRuntime
from verify.kept import shown
from verify.noise import OutputNoise, Reference
from verify.report.result import Criterion, Limits
from verify.sides import Failure
from verify.unordered import InOrder, aligned

if TYPE_CHECKING:
    import onnx_ir as ir

    from verify.job import Job

Noises = dict[str, OutputNoise | DecisionNoise]

ON_PURPOSE = "If the table is meant to decide, say so: --tolerance fixed, or --rtol and --atol."

DISAGREES = 2.0
"""How far the graph in float64 may be from the source in float64, in its own noise: a source that
computes a part in float32 on purpose is as far as once the noise."""


class Measurer:
    """Measures a job's noise, run by run; what cannot be measured is said once in the findings."""

    def __init__(self, job: Job, view: matching.View, framework: str) -> None:
        self.job, self.view, self.framework = job, view, framework
        self.reference: Reference | None = None
        self.given_up = False
        self.checked: set[tuple] = set()
        self.unchecked = ""
        self.traced_unseen = False
        self.another_is_exact = False
        self.witness: InOnnxRuntime | None = None

    def noise(self, inputs: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray]) -> Noises:
        """Return the noise of each output; nothing where it cannot be measured.

        Args:
            inputs: what a was run on, by a's names.
            values: a's outputs by their names in the report.
        """
        if self.given_up or not self.job.options.tolerance.measured:
            return {}
        if not any(array.size for array in values.values()):
            return {}
        try:
            reference = self._reference(inputs, values)
            if reference is None:
                return {}
            kept = {name: v for name, v in values.items() if name not in self.job.random.names}
            if not kept:
                return {}
            if self.another_is_exact:
                exact = self._another_exact(inputs, values)
                return self._marked(reference.noise(inputs, kept, True, exact))
            noises = reference.noise(inputs, kept)
            return self._check(reference, noises, inputs, values)
        except (EquiportError, Failure) as error:
            self._give_up(f"the source's noise could not be measured: {first_line(error)}")
            return {}

    def _give_up(self, reason: str, hint: str = "") -> None:
        """Leave the verdict to the fixed table, and let the report say so in its own place.

        What is caught here is what a model or a framework does to its own graph, never a defect of
        the measuring itself: that would change what decides, and nobody would see it.
        """
        self.given_up = True
        hint = f"{hint} {ON_PURPOSE}" if hint else ON_PURPOSE
        self.job.limits = Limits(Criterion.FALLBACK, reason, hint)

    def _reference(self, inputs: Mapping[str, Any], values: Mapping[str, Any]) -> Reference | None:
        if self.reference is None:
            graph = self.job.graph("a")
            if graph is None:
                error = self.job.untraced["a"]
                reason = f"a could not be traced to ONNX, so its noise is not known: {error.reason}"
                self._give_up(reason, error.hint)
                return None
            self.job.options.progress("measuring the source's own noise in float64")
            if told := self.job.random.read(graph, self.view, values):
                self.job.findings.append(told)
            graph, states = self._function(graph)
            self.reference = Reference(graph, self.job.executions)
            named = self._named(self.reference.runs, graph, states, inputs, values)
            self.reference.rename(named, named.outputs)
            if self.job.options.unordered:
                self.reference.runs = InOrder(self.reference.runs, self.job.options.unordered)
        if isinstance(self.reference.runs, InOrder):
            self.reference.runs.source = values
        return self.reference

    def _function(self, graph: ir.Model) -> tuple[ir.Model, tuple[State, ...]]:
        """Return the graph as a function: what it keeps are inputs and outputs."""
        return explicit(graph) if self.job.calls else (graph, ())

    def _named(
        self, runs: Executions | InOnnxRuntime, graph: ir.Model, states: tuple[State, ...],
        inputs: Mapping[str, Any], values: Mapping[str, Any],
    ) -> Any:  # fmt: skip
        """Return executions under the names of the report, through the calls before."""
        named = _Named(runs, graph, inputs, values, self.view, states)
        return named if self.job.calls is None else Threaded(named, states, self.job.calls)

    def _check(
        self, reference: Reference, noises: Noises,
        inputs: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray],
    ) -> Noises:  # fmt: skip
        """Hold the graph against another float64 run, once for each set of sizes.

        That is the source's own, which tells a wrong trace; where it has none, ONNX Runtime's of
        the graph, which tells a graph that was rebuilt wrong.
        """
        sizes = tuple(array.shape for array in inputs.values())
        if sizes not in self.checked and not self.unchecked:
            try:
                exact = self._another_exact(inputs, values)
            except (EquiportError, Failure):  # ONNX Runtime lacks float64 for convolutions, for one
                self.unchecked = "not held against another float64 run, for there is none"
                exact = {}
            if exact and (wrong := _disagreement(noises, exact)):
                self.another_is_exact = True
                self.job.findings.append(f"{wrong}; the other one is the reference")
                kept = {name: values[name] for name in noises}
                return self._marked(reference.noise(inputs, kept, True, exact))
            self.checked.add(sizes)
        return self._marked(noises)

    def _marked(self, noises: Noises) -> Noises:
        """Say of each noise what is known of the graph behind it."""
        for noise in noises.values():
            noise.case.checked = not self.unchecked and not self.traced_unseen
            noise.case.note = self.unchecked
            if self.traced_unseen and not self.unchecked:
                noise.case.note = "held against ONNX Runtime in float64, not against the source"
        return noises

    def _another_exact(
        self, inputs: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray]
    ) -> Arrays:
        if self.framework == "torch" and not self.traced_unseen:
            try:
                return self._source_in_float64(inputs, values)
            except (EquiportError, Failure):  # an exported program, or one that wants float32
                self.traced_unseen = True
        self.traced_unseen = self.framework != "onnx"
        graph = self.job.graph("a")
        assert graph is not None
        graph, states = self._function(graph)
        if self.witness is None or self.witness.model is not graph:
            self.witness = InOnnxRuntime(graph, self.job.aside)
        named = self._named(self.witness, graph, states, inputs, values)
        return aligned(values, named.exact(inputs), self.job.options.unordered)

    def _source_in_float64(
        self, inputs: Mapping[str, np.ndarray], values: Mapping[str, np.ndarray]
    ) -> Arrays:
        results = list(self.job.a.in_float64(dict(inputs), self.job.folder / "float64").values())
        if len(results) != len(values):
            raise ConversionError(
                f"it returns {len(results)} outputs in float64, {len(values)} else"
            )
        exact = dict(zip(values, results, strict=True))
        return aligned(values, exact, self.job.options.unordered)


def _disagreement(noises: Noises, exact: Arrays) -> str:
    """Say where the graph is not what the source computes; nothing if it is."""
    for name, noise in noises.items():
        if isinstance(noise, DecisionNoise):
            continue
        if exact[name].shape != noise.exact.shape:
            return f"the traced graph gives {name!r} another shape than the source does"
        with np.errstate(invalid="ignore"):
            apart = exact[name].astype(np.float64) - noise.exact
        apart = apart[np.isfinite(apart)] / noise.unit
        distance = noise.unit * float(np.sqrt(np.square(apart).mean())) if apart.size else 0.0
        while distance > DISAGREES * noise.drawn_rms:
            if not noise.more():
                return (
                    f"a's graph, rebuilt, is not what a computes: in float64, {name!r} differs by "
                    f"{distance:.2g} in root mean square, and rounding in its own precision by "
                    f"{noise.drawn_rms:.2g}"
                )
    return ""


class _Named:
    """A graph's executions under the names, and with the axes, that the report has.

    Raises:
        ConversionError: inputs or outputs cannot be brought together.
    """

    def __init__(
        self, runs: Executions | InOnnxRuntime, graph: ir.Model, inputs: Mapping[str, Any],
        values: Mapping[str, Any], view: matching.View, states: tuple[State, ...] = (),
    ) -> None:  # fmt: skip
        self.runs: Any = runs
        self.choices = getattr(runs, "choices", {})
        given = {state.input or "": state.input or "" for state in states}
        kept = {state.output or "": shown(state.name) for state in states}
        taken = [v.name or "" for v in graph.graph.inputs if v.name not in graph.graph.initializers]
        taken = [name for name in taken if name not in given]
        made = [v.name or "" for v in graph.graph.outputs if v.name not in kept]
        own = [name for name in values if name not in kept.values()]
        self.inputs = _pairs(taken, list(inputs), "inputs") | given
        self.outputs = _pairs(made, own, "outputs") | kept
        self.permutations = {name: _permutation(view, name) for name in values}

    def exact(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        return self._shown(self.runs.exact(self._fed(inputs)))

    def own(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        return self._shown(self.runs.own(self._fed(inputs)))

    def moved(self, inputs: Mapping[str, np.ndarray], seed: int, reach: int = 1) -> Arrays:
        return self._shown(self.runs.moved(self._fed(inputs), seed, reach))

    def _fed(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        return {name: inputs[shown] for name, shown in self.inputs.items()}

    def _shown(self, results: Arrays) -> Arrays:
        named = {n: array for n, array in results.items() if n not in self.outputs}
        for name, told in self.outputs.items():
            named[told] = self._turned(told, results[name])
        return named

    def _turned(self, name: str, array: np.ndarray) -> np.ndarray:
        permutation = self.permutations.get(name)
        if permutation is None or len(permutation) != array.ndim:
            return array
        return array.transpose(np.argsort(permutation))


def _permutation(view: matching.View, name: str) -> tuple[int, ...] | None:
    spec = view.output(name)
    return spec.permutation if spec is not None else None


def _pairs(graph: list[str], shown: list[str], what: str) -> dict[str, str]:
    """Return which name in the report a name in the graph has: the same, else by order."""
    if set(graph) <= set(shown):
        return {name: name for name in graph}
    if len(graph) != len(shown):
        raise ConversionError(f"the graph has the {what} {graph}, the source {shown}")
    return dict(zip(graph, shown, strict=True))
