"""What a model keeps between calls: inputs and outputs of its graph while nodes are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from converter.graph.state import explicit
from converter.signature import State

if TYPE_CHECKING:
    from verify.job import Job
    from verify.locate.step import Evidence
    from verify.matching import Feed

Arrays = dict[str, np.ndarray]


def _two() -> dict[str, Any]:
    return {"a": {}, "b": {}}


@dataclass
class States:
    """The state of both sides around one call; empty where nothing is kept.

    Attributes:
        given: by label, what a side held before the call, by its graph's inputs.
        outputs: by label, the graph's outputs by a's names of the buffers.
    """

    given: dict[str, Arrays] = field(default_factory=_two)
    outputs: dict[str, dict[str, str]] = field(default_factory=_two)

    @classmethod
    def of(
        cls,
        job: Job,
        graphs: dict[str, ir.Model | None],
        feeds: list[Feed],
        before: Sequence[Mapping[str, np.ndarray]],
    ) -> States:
        """Run the calls before, and put graphs that are functions in the place of ``graphs``.

        A graph whose buffers are not known by a's names is dropped.

        Raises:
            Failure: a side failed in one of the calls.
        """
        result = cls()
        if job.calls is None:
            return result
        held = _held(job, feeds, before)
        for label, graph in list(graphs.items()):
            if graph is None:
                continue
            graphs[label], own = explicit(graph)
            states = own or job.calls.carried.get(label, ())
            names = _named(states, held.get(label, {}))
            if names is None:
                graphs[label] = None
                continue
            for state, name in zip(states, names, strict=True):
                # Both begin with a's: what they held before agrees, up to rounding.
                result.given[label][state.input or ""] = held["a"].get(name, held[label][name])
                result.outputs[label][name] = state.output or ""
        return result

    def enter(self, evidence: Evidence, results: Mapping[str, Any]) -> None:
        """Add what was held before the call and after it to what is known of each side."""
        for label, outputs in self.outputs.items():
            if evidence.graphs[label] is None:
                continue
            kept = results[label][1].get("kept", {})
            evidence.given[label] |= self.given[label]
            evidence.results[label] |= {outputs[n]: kept[n] for n in outputs if n in kept}
        pairs = self.outputs["a"].items()
        theirs = self.outputs["b"]
        evidence.names |= {output: theirs[name] for name, output in pairs if name in theirs}


def _held(
    job: Job, feeds: list[Feed], before: Sequence[Mapping[str, np.ndarray]]
) -> dict[str, Arrays]:
    """Return what both sides hold before a call, by label and a's name of the buffer."""
    assert job.calls is not None
    if not before:
        return job.calls.initial
    results, failures = job.run_both(before[-1], feeds, before[:-1])
    if failures:
        raise next(iter(failures.values()))
    return {label: results[label][1].get("kept", {}) for label in results}


def _named(states: Sequence[State], held: Arrays) -> list[str] | None:
    """Return a's name of each buffer: its own, or in order where the shapes agree."""
    if all(state.name in held for state in states):
        return [state.name for state in states]
    shapes = [tuple(array.shape) for array in held.values()]
    same = shapes == [tuple(state.shape) for state in states]
    return list(held) if same and len(set(shapes)) == len(shapes) else None
