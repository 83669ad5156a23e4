"""Models that keep something between calls: both sides run the same sequence of calls.

Each sequence begins with both sides as they were loaded. After every call what comes out is
compared, and what is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from converter.signature import Signature, State
from verify.inputs import Case
from verify.kept import shown
from verify.matching import View

if TYPE_CHECKING:
    from verify.executions import Arrays
    from verify.job import Job

LONGEST, OTHERS = 3, 2
"""Calls in the first sequence, and in every other one."""

NEXT_SEED = 1 << 20
"""How far apart the seeds of the calls of a sequence are."""


@dataclass
class Calls:
    """What the two sides keep.

    Attributes:
        names: buffers, by their names in a.
        carried: what a side takes as inputs and gives as outputs, by label; it keeps nothing.
        initial: each side's values before the first call, by label and name.
        before: the inputs of the calls before the present one, as a is given them.
    """

    names: tuple[str, ...]
    carried: dict[str, tuple[State, ...]] = field(default_factory=dict)
    initial: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    before: list[dict[str, np.ndarray]] = field(default_factory=list)
    _given: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)

    def begin(self, job: Job) -> None:
        """Remember what both sides hold; finding where a side does not show it."""
        for side in (job.a, job.b):
            held = side.keep(list(self.names), job.folder / "kept")
            self.initial[side.label] = held
            missing = [name for name in self.names if name not in held]
            if missing and side.label not in self.carried:
                job.findings.append(
                    f"{side.label} does not show what it keeps in {', '.join(missing)} between "
                    "calls: it is compared by what comes out of the next call"
                )
        for label, states in self.carried.items():
            other = self.initial["b" if label == "a" else "a"]
            self.initial[label] = {s.name: other[s.name] for s in states if s.name in other}

    def reset(self, job: Job) -> None:
        """Put both sides back to where they began."""
        self.before = []
        for side in (job.a, job.b):
            if side.usable:
                side.reset()
        self._given = {label: dict(self.initial[label]) for label in self.carried}

    def fed(self, label: str) -> dict[str, np.ndarray]:
        """Return the inputs that hold what a side does not keep itself."""
        given = self._given.get(label, {})
        return {s.input or "": given[s.name] for s in self.carried.get(label, ())
                if s.name in given}  # fmt: skip

    def taken(self, label: str, outputs: Arrays) -> tuple[Arrays, Arrays]:
        """Return a side's own outputs, and by buffer what it holds now."""
        names = {shown(name): name for name in self.names}
        kept = {names[n]: array for n, array in outputs.items() if n in names}
        own = {name: array for name, array in outputs.items() if name not in names}
        for state in self.carried.get(label, ()):
            if state.output in own:
                self._given[label][state.name] = kept[state.name] = own.pop(state.output)
        return own, kept


def known(declared: Signature | None, views: list[View]) -> tuple[Calls | None, list[View]]:
    """Return what the signatures say is kept, and the views without what is carried.

    Where both sides take it as inputs, there is nothing to keep.
    """
    told = [view.signature.state if view.signature else () for view in views]
    if declared is not None and declared.state and not told[0]:
        told[0] = declared.state
    for index, view in enumerate(views):
        if not told[index] and _carried_alone(told[1 - index], view):
            told[index] = tuple(State(s.name, s.dtype, s.shape) for s in told[1 - index])
    inside = [any(state.input is None for state in states) for states in told]
    if not any(inside):
        return None, views
    names = next(states for states, own in zip(told, inside, strict=True) if own)
    calls = Calls(tuple(state.name for state in names))
    for index, (view, states) in enumerate(zip(list(views), told, strict=True)):
        if states and not inside[index]:
            calls.carried[view.label] = states
            views[index] = _without(view, states)
    return calls, views


def _carried_alone(states: tuple[State, ...], other: View) -> bool:
    """Tell whether a side takes state as inputs that the other side has not: that one keeps it."""
    taken = {state.input for state in states}
    return bool(taken) and None not in taken and not taken & set(other.input_names)


def _without(view: View, states: tuple[State, ...]) -> View:
    assert view.signature is not None
    inputs, outputs = {s.input for s in states}, {s.output for s in states}
    own = replace(
        view.signature,
        inputs=tuple(spec for spec in view.signature.inputs if spec.name not in inputs),
        outputs=tuple(spec for spec in view.signature.outputs if spec.name not in outputs),
    )
    names = [name for name in view.input_names if name not in inputs]
    return View(view.label, own, names)


def sequences(cases: list[Case]) -> list[Case]:
    """Return the cases with the calls that follow each, every call a case of its own."""
    result = []
    for index, case in enumerate(cases):
        calls: list[Case] = []
        for number in range(LONGEST if index == 0 else OTHERS):
            seed = case.seed if case.seed is None else case.seed + number * NEXT_SEED
            label = f"{case.label}, call {number + 1}"
            calls.append(replace(case, label=label, seed=seed, after=tuple(calls)))
        result += calls
    return result


class Threaded:
    """A graph's executions through the calls before: each way has a state of its own.

    Args:
        runs: executions of a graph in which state is inputs and outputs.
        states: names of those.
        calls: the calls before, and what the first one begins with.
    """

    def __init__(self, runs: Any, states: tuple[State, ...], calls: Calls) -> None:
        self.runs, self.states, self.calls = runs, states, calls
        self.outputs, self.choices = runs.outputs, runs.choices

    def exact(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        return self._through(inputs, lambda given, index: self.runs.exact(given))

    def own(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        return self._through(inputs, lambda given, index: self.runs.own(given))

    def moved(self, inputs: Mapping[str, np.ndarray], seed: int, reach: int = 1) -> Arrays:
        def run(given: Arrays, index: int) -> Arrays:
            return self.runs.moved(given, seed + 1000 * index, reach)

        return self._through(inputs, run)

    def _through(self, inputs: Mapping[str, np.ndarray], run: Any) -> Arrays:
        held = self.calls.initial["a"]
        if hidden := [s.name for s in self.states if s.name not in held]:
            raise ValueError(f"a does not show what it keeps in {', '.join(hidden)}")
        state = {s.input or "": held[s.name] for s in self.states}
        results: Arrays = {}
        for index, given in enumerate([*self.calls.before, inputs]):
            results = run({**given, **state}, index)
            state = {s.input or "": results[shown(s.name)] for s in self.states}
        return results
