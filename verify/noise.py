"""How far from the exact result a right implementation may be: the noise a comparison has to bear.

The source's graph runs in float64: that is the exact result R, up to 1e-16. The noise is how far
results of the model's own precision lie from it, element by element: the source's own result S, the
graph's in that precision G, and, where a verdict needs more, draws of the graph under random
rounding (`verify.random_rounding`), eight and then sixteen more of them.

One draw says little of one element, which may be right by luck, so the noise of an element is
the mean square over the draws, drawn towards the mean square of the elements that share its place
on an axis: of the quietest axis, lest class scores next to box sizes are taken to be as noisy as
those. Under all lies one unit in the last place.

|S - R| counts as noise only where rounding explains it: up to `CREDIBLE` times what the graph's own
draws say, and up to `CREDIBLE_CHECKED` times where the source's float64 run says what the graph's
does. Beyond that the graph, or the source's kernel, is wrong, and must not loosen anything.

Where a result hangs on a decision (`verify.decisions`), it may jump: such elements are known by a
few draws that move farther, which change them out of proportion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from verify.arrays import dtype_name
from verify.decisions import FAR_DRAWS, REACH, Choice, DecisionNoise, is_decided, renamed
from verify.executions import Arrays, Executions, executions
from verify.float64 import in_float64

__all__ = ["CREDIBLE", "CaseNoise", "OutputNoise", "Reference", "in_float64"]

CREDIBLE = 8.0
"""How much noisier than the graph in the same precision a source may be: kernels differ."""

CREDIBLE_CHECKED = 100.0
"""The same where float64 has shown that the graph is the source: whatever a kernel's long sums cost
(53 times were measured), but not a kernel that is wrong."""

DRAWS = (8, 16)
"""Draws under random rounding that are added each time that a verdict needs more."""

PRIOR = 4.0
"""Draws that the elements on the same place of an axis count for in the noise of one of them."""

ULP = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""Unit in the last place of 1, by dtype."""

TINY = {"float64": 2.3e-308, "float32": 1.2e-38, "float16": 6e-8, "bfloat16": 1.2e-38}
"""What counts as zero: the smallest normal number, or float16's smallest of all."""

LARGEST = {"float64": 1.8e308, "float32": 3.41e38, "float16": 65504.0, "bfloat16": 3.4e38}
"""An exact result beyond this is infinite in the dtype, and no size to measure others by."""

SQUARABLE = (1e-100, 1e100)
"""Between these, errors can be squared in float64 as they are."""


@dataclass
class OutputNoise:
    """Noise of one output on one set of inputs.

    Attributes:
        exact: the float64 result, the source's shape.
        center: the graph's float64 result, which its draws scatter around.
        dtype: dtype of the source's output.
        case: the draws that it shares with the other outputs.
        source_max, source_rms: the source's own error, in units of the output.
        squares: sum over the draws of the squared errors, by element, in units of ``unit``.
        count: number of draws in it.
        source_square: the source's own squared error, by element, in the same units.
        source: the source's result.
        farthest: largest error by element of the draws that move farther, 0 before there are some.
        far_results: what came out of them.
        unit: squares are in this unit, a power of two, so that they stay in float64's range.
    """

    exact: np.ndarray
    center: np.ndarray
    dtype: str
    case: CaseNoise
    source_max: float
    source_rms: float
    squares: np.ndarray
    count: int
    source_square: np.ndarray
    source: np.ndarray
    farthest: np.ndarray
    far_results: list[np.ndarray] = field(default_factory=list)
    unit: float = 1.0
    _sigma: tuple[int, np.ndarray] | None = field(default=None, repr=False)

    def add(self, result: np.ndarray) -> None:
        """Take in one more draw."""
        if result.shape == self.exact.shape:
            self.squares += _square(result, self.center, self.unit)
            self.count += 1

    def add_far(self, result: np.ndarray) -> None:
        """Take in a draw that moves `REACH` times as far."""
        if result.shape == self.exact.shape:
            error = self.unit * np.sqrt(_square(result, self.center, self.unit))
            self.farthest = np.maximum(self.farthest, error)
            self.far_results.append(result)

    def more(self) -> bool:
        """Make more draws; ``False`` where there are enough."""
        return self.case.more()

    @property
    def drawn(self) -> np.ndarray:
        """Root mean square of the draws' errors, by element."""
        return self.unit * np.sqrt(self.squares / self.count)

    @property
    def peak(self) -> float:
        """Largest absolute value of the exact result that the dtype can hold."""
        size = np.abs(self.exact)
        return float(size.max(initial=0.0, where=size <= LARGEST[self.dtype]))

    @property
    def relative(self) -> float:
        """The source's largest error relative to the largest value."""
        peak = self.peak
        return self.source_max / peak if peak else 0.0

    @property
    def ratio(self) -> float:
        """The source's error over that of the graph's draws, both as root mean squares."""
        drawn = self.drawn_rms
        return self.source_rms / drawn if drawn else 0.0

    @property
    def drawn_rms(self) -> float:
        """Error of the graph's draws as a root mean square, in units of the output."""
        if not self.exact.size:
            return 0.0
        return self.unit * float(np.sqrt(np.mean(self.squares / self.count + self._floor())))

    @property
    def credible(self) -> bool:
        """Whether rounding explains the source's error."""
        return self.ratio <= (CREDIBLE_CHECKED if self.case.checked else CREDIBLE)

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation of the noise by element, in units of the output."""
        if self._sigma is None or self._sigma[0] != self.count:
            squares, count = self.squares, self.count
            if self.credible:
                squares, count = squares + self.source_square, count + 1
            variance = _smooth(squares / count, count) + self._floor()
            known = self.credible and self.case.stage > 0  # one draw is no measure of a ratio
            level = max(1.0, self.ratio) if known else 1.0
            self._sigma = (self.count, self.unit * level * np.sqrt(variance))
        return self._sigma[1]

    def _floor(self) -> np.ndarray:
        size = np.abs(self.exact)
        size = np.where(size <= LARGEST[self.dtype], size, 0.0) / self.unit
        return np.square(ULP[self.dtype] * size) + np.square(TINY[self.dtype] / self.unit)


@dataclass
class CaseNoise:
    """The draws of all outputs on one set of inputs.

    Attributes:
        runs: what runs the graph.
        inputs: arrays by the graph's input names.
        checked: the source's own float64 run says what the graph's does.
        outputs: noise by output.
        decided: the same for outputs of integers and booleans.
        numbers: the same for the numbers by which indices were chosen.
        stage: how often more draws were made.
        far_made: the draws that move farther were made.
        note: what the exact result was not checked for, and why; ``""`` where it was.
    """

    runs: Executions
    inputs: Mapping[str, np.ndarray]
    checked: bool = False
    outputs: dict[str, OutputNoise] = field(default_factory=dict)
    decided: dict[str, DecisionNoise] = field(default_factory=dict)
    numbers: dict[str, OutputNoise] = field(default_factory=dict)
    stage: int = 0
    far_made: bool = False
    note: str = ""

    def more(self) -> bool:
        """Make more draws; ``False`` where there are enough."""
        if self.stage == len(DRAWS):
            return False
        first = sum(DRAWS[: self.stage])
        for seed in range(first, first + DRAWS[self.stage]):
            results = self.runs.moved(self.inputs, seed)
            for name, noise in self._all().items():
                noise.add(results[name])
        self.stage += 1
        return True

    def far(self) -> None:
        """Make the draws that move farther, once."""
        if self.far_made:
            return
        self.far_made = True
        for seed in range(FAR_DRAWS):
            results = self.runs.moved(self.inputs, seed, REACH)
            for name, noise in self._all().items():
                noise.add_far(results[name])

    def _all(self) -> dict[str, OutputNoise | DecisionNoise]:
        return {**self.outputs, **self.decided, **self.numbers}


class Reference:
    """A graph, ready to say what is exact and how noisy that is.

    Raises (all methods):
        ConversionError: the graph cannot be rebuilt.
    """

    def __init__(self, model: ir.Model, runs: Executions | None = None) -> None:
        self.model = model
        self.runs: Executions = runs or executions(model)
        self.choices: Mapping[str, Choice] = self.runs.choices

    def rename(self, runs: Executions, names: Mapping[str, str]) -> None:
        """Put other names on the outputs: ``runs`` gives them, ``names`` says which are which."""
        self.runs, self.choices = runs, renamed(self.choices, names)

    def noise(
        self, inputs: Mapping[str, np.ndarray], source: Mapping[str, np.ndarray],
        checked: bool = False, exact: Arrays | None = None,
    ) -> dict[str, OutputNoise | DecisionNoise]:  # fmt: skip
        """Return the noise of each output, as far as it has one.

        Args:
            inputs: arrays by the graph's input names.
            source: the source's outputs by the graph's output names.
            checked: the source's own float64 run says what the graph's does.
            exact: the exact result, where it is not the graph that tells it.
        """
        graph_exact = self.runs.exact(inputs)
        exact = graph_exact if exact is None else exact
        own = self.runs.own(inputs)
        case = CaseNoise(self.runs, inputs, checked)
        for name, result in source.items():
            if name in exact and dtype_name(result) in ULP:
                ours = (exact[name], graph_exact[name], own[name])
                if all(array.shape == result.shape for array in ours):
                    case.outputs[name] = _first(result, *ours, case)
            elif name in exact and is_decided(result):
                seen = [exact[name], own[name]]
                case.decided[name] = DecisionNoise(case, seen, self.choices.get(name))
        for choice in self.choices.values():
            read = own[choice.read]
            if dtype_name(read) in ULP:
                center = graph_exact[choice.read]
                case.numbers[choice.read] = _first(read, center, center, read, case)
        return {**case.outputs, **case.decided}


def _first(
    source: np.ndarray, exact: np.ndarray, center: np.ndarray, own: np.ndarray, case: CaseNoise
) -> OutputNoise:
    exact, center = exact.astype(np.float64), center.astype(np.float64)
    size = np.abs(exact)
    unit = unit_of(float(size.max(initial=0.0, where=size <= LARGEST[dtype_name(source)])))
    squares = _square(source, exact, unit)
    largest, mean = float(squares.max(initial=0.0)), float(squares.mean()) if squares.size else 0.0
    return OutputNoise(
        exact=exact,
        center=center,
        dtype=dtype_name(source),
        case=case,
        source_max=unit * largest**0.5,
        source_rms=unit * mean**0.5,
        squares=_square(own, center, unit),
        count=1,
        source_square=squares,
        source=source,
        farthest=np.zeros(exact.shape),
        unit=unit,
    )


def unit_of(peak: float) -> float:
    """Return the unit, a power of two, in which numbers of a size can be squared; mostly 1."""
    low, high = SQUARABLE
    return 1.0 if low <= peak <= high or not peak else float(2.0 ** np.floor(np.log2(peak)))


def _square(result: np.ndarray, exact: np.ndarray, unit: float) -> np.ndarray:
    """Return squared errors by ``unit``; one that is not finite says nothing of the noise."""
    with np.errstate(invalid="ignore", over="ignore"):
        error = (result.astype(np.float64) - exact) / unit
        return np.square(np.where(np.isfinite(error), error, 0.0))


def _smooth(variance: np.ndarray, count: int) -> np.ndarray:
    """Draw each element's variance towards the mean of those on the same place of an axis."""
    axes = {1, variance.ndim - 1} if variance.ndim > 1 else set()
    if not axes or not variance.size:
        return variance
    prior = np.full_like(variance, np.inf)
    for axis in axes:
        others = tuple(other for other in range(variance.ndim) if other != axis)
        prior = np.minimum(prior, variance.mean(axis=others, keepdims=True))
    return (count * variance + PRIOR * prior) / (count + PRIOR)
