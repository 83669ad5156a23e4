"""Outputs that must be equal, and the ties in which they need not be.

An integer or a boolean that depends on floating-point numbers was decided somewhere: by `ArgMax`, a
comparison, `Round`. Where the numbers are as near to each other as their noise, a right target may
decide otherwise. Two things tell such a tie:

- For `ArgMax`, `ArgMin` and `TopK` the numbers that they read are an output more of the graph. The
  element that the target chose must be as large as the source's in the exact result, up to the
  noise of both; and it must have noise, so that equal numbers that nothing rounds are no tie.
- For whatever else, the graph is run with results that move by `REACH` units in the last place:
  what comes out in one of those runs at an element is what a right target may say there. Where
  several things come out, and one of them only once, the runs have not shown everything: of the
  next run, one thing new in so many runs is expected (I. J. Good, "The population frequencies of
  species", Biometrika 40, 1953). There, anything between the least and the largest is one, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from verify.arrays import dtype_name

if TYPE_CHECKING:
    from verify.noise import CaseNoise, OutputNoise
    from verify.report.result import Run

PREFIX = "equiport.decided_by."
"""Begin of the names of the outputs that decisions read."""

REACH = 8
"""Units in the last place by which results move: as much as `verify.judgement.MAX` deviations."""

FAR_DRAWS = 16

MOST = 1 << 26
"""Numbers in all draws past which those that have not come out are not asked for."""

MARGIN = 10.0
"""How many deviations of the noise two numbers may be apart and be a tie."""

_INDEXING = ("ArgMax", "ArgMin", "TopK")
_PASSING = ("Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape", "Flatten")


@dataclass(frozen=True)
class Choice:
    """How an output's indices were chosen.

    Attributes:
        axis: of the numbers chosen from.
        read: output of the graph that gives those numbers.
        ordered: the indices come in the order of their numbers.
    """

    axis: int
    read: str
    ordered: bool = True


@dataclass
class DecisionNoise:
    """What an output of integers or booleans may be, on one set of inputs.

    Attributes:
        case: the draws that it shares with the other outputs.
        seen: what came out, draw by draw.
        choice: how its indices were chosen, if they were.
    """

    case: CaseNoise
    seen: list[np.ndarray] = field(default_factory=list)
    choice: Choice | None = None

    def add(self, result: np.ndarray) -> None:
        """Take in one more draw."""
        self.seen.append(result)

    def add_far(self, result: np.ndarray) -> None:
        """Take in a draw that moves farther."""
        self.seen.append(result)

    def ties(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Return, for each element of b, whether it is not a's and as good.

        Args:
            a, b: the same shape.
        """
        different = a != b
        if not different.any():
            return different
        if self.choice is not None and self.choice.read in self.case.numbers:
            numbers = self.case.numbers[self.choice.read]
            return different & _as_large(a, b, self.choice, numbers)
        self.case.far()
        seen = np.stack([a, *(result for result in self.seen if result.shape == b.shape)])
        explained = (seen == b).any(axis=0)
        if different[~explained].any() and seen.size <= MOST:
            explained |= open_ended(seen, 0) & (b >= seen.min()) & (b <= seen.max())
        return different & explained

    def came_out(self, b: np.ndarray) -> bool:
        """Tell whether exactly this came out of a draw; for outputs whose shape is a decision."""
        self.case.far()
        return any(r.shape == b.shape and bool((r == b).all()) for r in self.seen)


def open_ended(seen: np.ndarray, near: np.ndarray | float) -> np.ndarray:
    """Tell at which elements the draws have not shown everything that may come out.

    Args:
        seen: results, one by one along the first axis.
        near: how near two numbers are the same outcome, by element.
    """
    order = np.sort(seen, axis=0)
    apart = (order[1:] - order[:-1] > near) if seen.dtype != bool else order[1:] != order[:-1]
    ends = np.ones((1, *apart.shape[1:]), bool)
    starts, stops = np.concatenate([ends, apart]), np.concatenate([apart, ends])
    alone = np.count_nonzero(starts & stops, axis=0)
    return (np.count_nonzero(starts, axis=0) >= 3) & (alone >= 1)


def _as_large(a: np.ndarray, b: np.ndarray, choice: Choice, numbers: OutputNoise) -> np.ndarray:
    """Tell where b's index leads to a number as large as a's does, and a noisy one."""
    while numbers.more():
        pass
    last = np.moveaxis(numbers.exact, choice.axis, -1)
    length = last.shape[-1]
    if last.size == 0 or a.size % (last.size // length):
        return np.zeros(a.shape, bool)
    rows = last.reshape(-1, length)
    spread = np.moveaxis(numbers.drawn, choice.axis, -1).reshape(-1, length)
    shape = list(numbers.exact.shape)
    shape[choice.axis] = a.size // len(rows)
    one, other = (_rows(indices, shape, choice.axis, length) for indices in (a, b))
    if other.min() < 0 or other.max() >= length or one.min() < 0 or one.max() >= length:
        return np.zeros(a.shape, bool)
    if not choice.ordered:
        one, other = (np.sort(indices, axis=1) for indices in (one, other))
    margin = np.abs(_at(rows, one) - _at(rows, other))
    noise = np.hypot(_at(spread, one), _at(spread, other))
    again = np.sort(other, axis=1)
    twice = (again[:, 1:] == again[:, :-1]).any(axis=1, keepdims=True)
    good = (margin < MARGIN * noise) & ~twice
    good |= (margin == 0) & (one == other)
    return np.moveaxis(good.reshape(_moved(shape, choice.axis)), -1, choice.axis).reshape(a.shape)


def _moved(shape: list[int], axis: int) -> tuple[int, ...]:
    rest = list(shape)
    last = rest.pop(axis)
    return (*rest, last)


def _rows(indices: np.ndarray, shape: list[int], axis: int, length: int) -> np.ndarray:
    turned = np.moveaxis(indices.reshape(shape), axis, -1)
    rows = turned.reshape(-1, shape[axis]).astype(np.int64)
    return np.where(rows < 0, rows + length, rows)


def _at(rows: np.ndarray, indices: np.ndarray) -> np.ndarray:
    return np.take_along_axis(rows, indices, axis=1)


def exposed(model: ir.Model) -> tuple[ir.Model, dict[str, Choice]]:
    """Return a copy whose outputs have the numbers that its index outputs were chosen by, too.

    Returns:
        The copy (the model itself where there is nothing to add), and each choice by the name of
        the output that it decides.
    """
    found = {}
    for output in model.graph.outputs:
        node = _chooser(output)
        if node is not None and node.inputs[0] is not None:
            found[output.name or ""] = node
    if not found:
        return model, {}
    names = {name: node.inputs[0].name for name, node in found.items() if node.inputs[0]}
    copy, choices = model.clone(), {}
    values = {v.name: v for v in copy.graph.inputs}
    values |= {v.name: v for node in copy.graph for v in node.outputs}
    for name, node in found.items():
        value = values.get(names[name])
        if value is None:  # an initializer: nothing of it is noise
            continue
        added = ir.node("Identity", [value], name=PREFIX + name)
        result = added.outputs[0]
        result.name, result.type, result.shape = PREFIX + name, value.type, value.shape
        copy.graph.append(added)
        copy.graph.outputs.append(result)
        axis, ordered = _number(node, "axis", -1 if node.op_type == "TopK" else 0), True
        if node.op_type == "TopK":
            ordered = bool(_number(node, "sorted", 1))
        choices[name] = Choice(axis, PREFIX + name, ordered)
    return copy, choices


def _chooser(value: ir.Value) -> ir.Node | None:
    """Return the node that chose the indices which an output hands on, in order."""
    node = value.producer()
    while node is not None and not node.domain and node.op_type in _PASSING and node.inputs:
        if node.inputs[0] is None:
            return None
        value = node.inputs[0]
        node = value.producer()
    if node is None or node.domain or node.op_type not in _INDEXING:
        return None
    wanted = 1 if node.op_type == "TopK" else 0
    return node if node.outputs.index(value) == wanted else None


def _number(node: ir.Node, name: str, default: int) -> int:
    attribute = node.attributes.get(name)
    return default if attribute is None else attribute.as_int()


def is_decided(array: np.ndarray) -> bool:
    """Tell whether an output is one of integers or booleans."""
    return array.dtype.kind in "iub" and "float" not in dtype_name(array)


def undecided(runs: Sequence[Run]) -> list[str]:
    """Say for which outputs there were ties."""
    counts: dict[str, int] = {}
    for run in runs:
        for name, item in run.outputs.items():
            counts[name] = counts.get(name, 0) + item.ties
    return [
        f"{name}: {count} elements differ where a itself is undecided: the numbers behind them are "
        "as near to each other as their noise"
        for name, count in counts.items()
        if count
    ]


def renamed(choices: Mapping[str, Choice], names: Mapping[str, str]) -> dict[str, Choice]:
    """Return choices by the names that the report has for outputs."""
    return {names[name]: replace(choice) for name, choice in choices.items() if name in names}
