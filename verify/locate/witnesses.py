"""What others say of a graph: ONNX Runtime, optimised and not, and ONNX's reference evaluator.

They share no code with the float64 reference, which PyTorch computes, so they can tell whether it
is right; and none with the source, so they can tell whether the graph says what the source says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir
import torch

from converter.errors import EquiportError, first_line
from converter.rebuild.pytorch.dtypes import from_numpy
from verify.locate.closeness import error_of, flat
from verify.locate.recording import Recording
from verify.runtimes import installed
from verify.sides import Failure
from verify.tolerance import CEILING

if TYPE_CHECKING:
    from verify.aside import Aside

RUNTIMES = {
    "onnxruntime": "ONNX Runtime",
    "onnxruntime_unoptimised": "ONNX Runtime without optimisation",
    "onnx_reference": "ONNX's reference evaluator",
}

SMALL = 1 << 21
"""Elements of all values of a graph up to which ONNX's reference evaluator is not too slow."""

SAFETY = 16.0
"""How many times the error of the best witness counts as agreement."""

LEAST = {"float16": 2e-3, "bfloat16": 2e-2}
"""Relative error that counts as agreement in any case, by dtype; 1e-6 for the others."""

LOOSE = 1e-3
"""Relative error up to which a traced graph may be the model, whatever the model's precision."""

MULTIPLE = 8.0
"""How many times the source's own error another model's may be that computes the same."""

ALONE = 1e-2
"""Relative error up to which a single witness counts as agreeing."""

FAMILIES = {"onnxruntime_unoptimised": "onnxruntime"}
"""Runtimes that share their kernels with another one."""


@dataclass(frozen=True)
class Witnesses:
    """What was said of one graph.

    Attributes:
        errors: largest relative error against the float64 reference over all outputs, by runtime.
        refusals: why a runtime did not run it, by runtime.
        limit: largest relative error that counts as agreement with the reference.
        spread: smallest distance between two that share no code; ``None``: there are not two.
    """

    errors: Mapping[str, float]
    refusals: Mapping[str, str]
    limit: float
    spread: float | None = None

    @property
    def agree(self) -> bool:
        """Whether at least one agrees with the reference; true where nobody said anything.

        Two that are far nearer to each other than to the reference prove it wrong.
        """
        if not self.errors:
            return True
        nearest = min(self.errors.values())
        if self.spread is None:
            return nearest < ALONE
        return nearest <= SAFETY * max(self.spread, 1e-6)

    def told(self, what: str) -> dict[str, str]:
        """Return what each said, in words."""
        words = {
            f"{RUNTIMES[name]} on {what}": f"{error:.2g} from float64"
            for name, error in self.errors.items()
        }
        refused = {f"{RUNTIMES[n]} on {what}": f"refused: {r}" for n, r in self.refusals.items()}
        return words | refused


def hear(
    model: ir.Model, recording: Recording, aside: Aside,
    also: Mapping[str, Mapping[str, np.ndarray]] | None = None,
) -> Witnesses:  # fmt: skip
    """Run a graph in every runtime that can, on the recording's inputs.

    Args:
        aside: runs it in them.
        also: outputs of others by the graph's names, by runtime, to be held against each other.
    """
    errors, refusals = {}, {}
    said: dict[str, Mapping[str, np.ndarray]] = dict(also or {})
    size = sum(getattr(v, "numel", lambda: 0)() for v in recording.table.values.values())
    for name in RUNTIMES:
        if not installed(name) or (name == "onnx_reference" and size > SMALL):
            continue
        try:
            outputs = aside.run(name, model, recording.inputs)
        except (Failure, EquiportError) as error:  # it does not take the graph
            refusals[name] = first_line(error, 200)
            continue
        said[name] = outputs
        errors[name] = max(errors_of(recording, outputs).values(), default=0.0)
    least = max((LEAST.get(dtype, 1e-6) for dtype in _dtypes(recording)), default=1e-6)
    usable = [error for error in errors.values() if error < 1e-2]
    limit = max(least, SAFETY * min(usable, default=0.0))
    return Witnesses(errors, refusals, limit, _spread(recording, said))


def _spread(recording: Recording, said: Mapping[str, Mapping[str, np.ndarray]]) -> float | None:
    """Return the smallest distance between two that share no code, all outputs considered."""
    wanted = [value.name or "" for value in recording.wide.outputs]
    distances = []
    for one, other in combinations(said, 2):
        if FAMILIES.get(one, one) == FAMILIES.get(other, other):
            continue
        pairs = [(_row(said[one], name), _row(said[other], name)) for name in wanted]
        distances.append(max(
            (error_of(a, b) for a, b in pairs
             if a is not None and b is not None and a.numel() == b.numel()),
            default=0.0,
        ))  # fmt: skip
    return min(distances, default=None)


def _row(outputs: Mapping[str, np.ndarray], name: str) -> torch.Tensor | None:
    return flat(from_numpy(np.asarray(outputs[name]))) if name in outputs else None


def errors_of(recording: Recording, outputs: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the largest relative error of each output that the recording has."""
    result = {}
    for value in recording.wide.outputs:
        name = value.name or ""
        if name not in outputs or value not in recording.numbers:
            continue
        a = flat(recording.table.values[recording.numbers[value]])
        b = flat(from_numpy(np.asarray(outputs[name])))
        if a is not None and b is not None:
            result[name] = error_of(a, b) if a.numel() == b.numel() else float("inf")
    return result


def loosest(recording: Recording, outputs: Mapping[str, np.ndarray]) -> float:
    """Return the relative error above which a graph is not what a model of this precision does.

    Args:
        recording: the source's graph in float64.
        outputs: what the source returned, by the graph's names: how far that is shows its noise.
    """
    own = max(errors_of(recording, outputs).values(), default=0.0)
    ceiling = max((CEILING.get(dtype, LOOSE) for dtype in _dtypes(recording)), default=LOOSE)
    return max(LOOSE, min(MULTIPLE * own, ceiling))


def _dtypes(recording: Recording) -> set[str]:
    kinds = {recording.wide.dtypes.get(value) for value in recording.wide.outputs}
    return {kind.name.lower() for kind in kinds if kind is not None}
