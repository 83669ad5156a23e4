"""A source, and what runs its graph, that answer from memory what they have answered before.

A thousand mutants of one model are compared with it on the same inputs; the verdicts are those of
a comparison that starts from nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from converter.signature import Signature
from verify.digest import of_inputs
from verify.executions import Arrays, Executions
from verify.sides import LiveSide, Outputs


class RecordedSide(LiveSide):
    """A live model that runs once on each set of inputs."""

    def __init__(self, label: str, model: Any) -> None:
        super().__init__(label, model, [], "cpu")
        self.answers: dict[Any, Any] = {}

    def _once(self, key: Any, ask: Any) -> Any:
        """Return what was answered before, or raise what was raised."""
        if key not in self.answers:
            try:
                self.answers[key] = ask(), None
            except Exception as error:
                self.answers[key] = None, error
        answer, error = self.answers[key]
        if error is not None:
            raise error
        return answer

    def end_load(self) -> dict[str, Any]:
        return self._once("load", super().end_load)

    def end_run(self) -> tuple[Outputs, dict[str, Any]]:
        key = "run", of_inputs(self._inputs)
        outputs, facts = self._once(key, super().end_run)
        return dict(outputs), dict(facts)

    def in_float64(self, inputs: dict[str, np.ndarray], folder: Path) -> Outputs:
        key = "float64", of_inputs(inputs)
        return dict(self._once(key, lambda: LiveSide.in_float64(self, inputs, folder)))

    def weights(self) -> Any:
        return self._once("weights", super().weights)

    def graph(self, signature: Signature | None) -> ir.Model:
        return self._once("graph", lambda: LiveSide.graph(self, signature))

    def close(self) -> None:
        """Stay open for the next comparison; see `end`."""

    def end(self) -> None:
        """Let go of the model."""
        super().close()


class KeptSide(LiveSide):
    """A live model whose outputs are kept by its inputs; ``None`` where it failed."""

    def __init__(self, label: str, model: Any) -> None:
        super().__init__(label, model, [], "cpu")
        self.kept: dict[str, Outputs | None] = {}

    def end_run(self) -> tuple[Outputs, dict[str, Any]]:
        key = of_inputs(self._inputs)
        self.kept[key] = None
        outputs, facts = super().end_run()
        self.kept[key] = dict(outputs)
        return outputs, facts


class RecordedExecutions:
    """A graph's executions, each made once for the same inputs."""

    def __init__(self, runs: Executions) -> None:
        self.runs, self.choices = runs, runs.choices
        self.answers: dict[Any, Arrays] = {}

    def exact(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        return self._once(("exact", of_inputs(inputs)), lambda: self.runs.exact(inputs))

    def own(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        return self._once(("own", of_inputs(inputs)), lambda: self.runs.own(inputs))

    def moved(self, inputs: Mapping[str, np.ndarray], seed: int, reach: int = 1) -> Arrays:
        key = ("moved", of_inputs(inputs), seed, reach)
        return self._once(key, lambda: self.runs.moved(inputs, seed, reach))

    def _once(self, key: Any, run: Any) -> Arrays:
        if key not in self.answers:
            self.answers[key] = run()
        return self.answers[key]
