"""What both sides are asked to do, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from converter.errors import UsageError
from verify.arrays import read, write

LOSSES = {
    "mse": "mean squared distance to seeded targets",
    "cross-entropy": "softmax cross-entropy with seeded labels, classes on the last axis",
}
"""Name of each loss to what it is, in words."""

BETAS = (0.875, 1 - 2.0**-10)
EPSILON = 1e-7
"""Adam's constants, given to both: the defaults of epsilon differ (1e-8 in PyTorch, 1e-7 in Keras).
The betas are near the usual 0.9 and 0.999 and exact in float32, in which Keras keeps them even
where the weights are float64."""

Arrays = dict[str, np.ndarray]


def written(arrays: Arrays, folder: Path, kind: str) -> dict[str, Any]:
    """Write arrays to a folder and return the message that tells of them."""
    return {
        name: write(array, folder / f"{kind}{index}.npy")
        for index, (name, array) in enumerate(arrays.items())
    }


def check_loss(name: str) -> str:
    """Return the name of a loss.

    Raises:
        UsageError: there is no such loss.
    """
    if name not in LOSSES:
        raise UsageError(f"unknown loss {name!r}", hint=f"Known: {', '.join(LOSSES)}.")
    return name


@dataclass(frozen=True)
class Plan:
    """What a side does.

    Attributes:
        loss: one of `LOSSES`.
        wide: in float64; else in the model's own precision.
        normalise: batch normalisation uses the batch's statistics, and moves its running ones.
        outputs: names of the side's outputs, in order.
        axes: where the classes are, by output.
        steps: how many steps of each optimizer.
        rates: learning rate of each optimizer; none: only gradients.
        from_graph: the model's traced graph, rebuilt, and not the model itself.
        graph: an ONNX file that is rebuilt in place of that graph.
    """

    loss: str
    wide: bool
    normalise: bool
    outputs: tuple[str, ...]
    axes: Mapping[str, int]
    steps: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)
    from_graph: bool = False
    graph: str = ""

    def to_data(self) -> dict[str, Any]:
        """Return plain data that `from_data` reads back."""
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Plan:
        """Read what `to_data` wrote."""
        return cls(**{**data, "outputs": tuple(data["outputs"])})


@dataclass
class Learned:
    """What a side answers; arrays are in the layout in which it keeps the weights.

    Attributes:
        loss: before any step.
        dtype: of the weights while this was computed.
        gradients: of the loss, by trainable parameter.
        inputs: of the loss, by floating-point input.
        before: running statistics, by buffer; only those that the forward pass moves.
        after: the same after one forward pass.
        curves: the loss before each step and after the last, by optimizer.
        how: what computed it, where that was not the model itself; in words.
        of_source: the names are a's, and arrays are laid out as a keeps them.
    """

    loss: float
    dtype: str
    gradients: Arrays = field(default_factory=dict)
    inputs: Arrays = field(default_factory=dict)
    before: Arrays = field(default_factory=dict)
    after: Arrays = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=dict)
    how: str = ""
    of_source: bool = False

    ARRAYS = ("gradients", "inputs", "before", "after")

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the arrays to a folder and return the message that tells of them."""
        told: dict[str, Any] = {
            "loss": self.loss, "dtype": self.dtype, "curves": self.curves, "how": self.how,
        }  # fmt: skip
        for kind in self.ARRAYS:
            told[kind] = written(getattr(self, kind), folder, kind)
        return told

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Learned:
        """Return what `write` told of, its arrays mapped."""
        arrays: dict[str, Any] = {
            kind: {name: read(item) for name, item in told[kind].items()} for kind in cls.ARRAYS
        }
        return cls(told["loss"], told["dtype"], curves=told["curves"], how=told["how"], **arrays)


@dataclass(frozen=True)
class Ability:
    """Whether a side trains, and what its batch normalisation does then.

    Attributes:
        reason: why it does not train; ``""``: it does.
        normalises: ``"none"``: it has no batch normalisation; ``"follows"``: it follows the
            training mode; ``"fixed"``: it uses its running statistics always.
    """

    reason: str = ""
    normalises: str = "none"


def in_order(outputs: list[tuple[str, Any]], plan: Plan) -> dict[str, Any]:
    """Return a model's outputs under the names that the plan has for them.

    A model that was rebuilt may name its outputs otherwise; their order is the same.
    """
    named = dict(outputs)
    if set(plan.axes) <= set(named):
        return named
    values = [value for _, value in outputs]
    return dict(zip(plan.outputs, values, strict=True))
