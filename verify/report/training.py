"""What the comparison of one training step, and of a few, found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GradientComparison:
    """The gradient of the loss by one parameter or input, b against a.

    Attributes:
        name: the parameter's name in the source, or the input's.
        kind: ``"parameter"``, ``"input"`` or ``"statistic"`` (a BatchNorm buffer after the step).
        max_abs: largest absolute difference.
        max_rel: that, relative to the largest absolute value in a.
        limit: largest ``max_rel`` that passes.
        passed: the verdict.
        reason: why it failed; empty where it passed.
        dtype: ``"float32"`` or ``"float64"``: what both computed in.
        scale: largest absolute value in a.
    """

    name: str
    kind: str
    max_abs: float
    max_rel: float
    limit: float
    passed: bool
    reason: str = ""
    dtype: str = "float32"
    scale: float = 0.0


@dataclass(frozen=True)
class LossCurve:
    """The loss over some steps of one optimizer, in both.

    Attributes:
        optimizer: ``"sgd"`` or ``"adam"``.
        dtype: ``"float32"`` or ``"float64"``.
        a, b: the loss before each step, and after the last.
        limit: largest difference relative to the largest loss that passes.
        passed: the verdict.
    """

    optimizer: str
    dtype: str
    a: tuple[float, ...]
    b: tuple[float, ...]
    limit: float
    passed: bool


@dataclass(frozen=True)
class TrainingParity:
    """Whether both learn alike.

    Attributes:
        loss: which loss was used, in words.
        gradients: of every matched parameter and of the inputs, and BatchNorm's statistics.
        curves: loss curves.
        unmatched: parameters of one side that the other lacks.
        note: what could not be compared and why; ``""`` if nothing.
    """

    loss: str
    gradients: tuple[GradientComparison, ...] = ()
    curves: tuple[LossCurve, ...] = ()
    unmatched: tuple[str, ...] = ()
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether everything that could be compared agrees."""
        return (
            bool(self.gradients)
            and all(item.passed for item in self.gradients)
            and all(curve.passed for curve in self.curves)
            and not self.unmatched
        )
