"""Normalisation with another epsilon, other statistics or over another axis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.edit import (
    attribute,
    before,
    put,
    redirect,
    replace,
    set_attribute,
)
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import Edit, kind

NORMS = (
    "BatchNormalization",
    "LayerNormalization",
    "InstanceNormalization",
    "GroupNormalization",
    "RMSNormalization",
)


def _epsilon(node: ir.Node, facts: Facts) -> tuple[int, np.ndarray] | None:
    """Return place and value of the epsilon in ``Sqrt(variance + epsilon)``, written out."""
    if node.op_type != "Add" or not any(u.op_type == "Sqrt" for u, _ in node.outputs[0].uses()):
        return None
    for index in (0, 1):
        array = facts.constant(node.inputs[index])
        if array is not None and array.size == 1 and 0 < float(array.reshape(-1)[0]) < 0.1:
            return index, array
    return None


def _scaled_epsilon(node: ir.Node, facts: Facts, factor: float) -> Iterator[Edit]:
    if node.op_type in NORMS:
        epsilon = attribute(node, "epsilon", 1e-5)
        yield Edit(lambda rng: set_attribute(node, "epsilon", float(epsilon * factor)))
    elif found := _epsilon(node, facts):
        index, array = found
        yield Edit(lambda rng: put(node, index, (array * factor).astype(array.dtype)))


@kind("epsilon: ten times", *NORMS, "Add")
def epsilon_times_ten(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The epsilon of a normalisation is ten times too large."""
    yield from _scaled_epsilon(node, facts, 10.0)


@kind("epsilon: the other framework's", *NORMS, "Add")
def epsilon_of_the_other(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """PyTorch's default of 1e-5 and Keras's of 1e-3 are taken for each other."""
    current = attribute(node, "epsilon", 1e-5)
    if found := _epsilon(node, facts):
        current = float(found[1].reshape(-1)[0])
    yield from _scaled_epsilon(node, facts, 0.01 if current > 1e-4 else 100.0)


@kind("epsilon: outside of the root", "Add")
def epsilon_outside(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """``sqrt(variance) + epsilon`` in place of ``sqrt(variance + epsilon)``."""
    if found := _epsilon(node, facts):
        index, array = found
        variance = node.inputs[1 - index]

        def change(rng: np.random.Generator) -> None:
            for root in [user for user, _ in node.outputs[0].uses() if user.op_type == "Sqrt"]:
                replace(root, "Add", [before(root, "Sqrt", [variance]), array])

        yield Edit(change)


@kind("BatchNorm: statistics of the batch", "BatchNormalization")
def batch_statistics(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The layer was left in training mode and takes mean and variance of what it sees."""
    rank = facts.rank(node.inputs[0])
    if rank < 2:
        return
    axes = np.array([0, *range(2, rank)])

    def change(rng: np.random.Generator) -> None:
        x = node.inputs[0]
        mean = before(node, "ReduceMean", [x, axes], keepdims=0)
        kept = before(node, "ReduceMean", [x, axes], keepdims=1)
        centred = before(node, "Sub", [x, kept])
        square = before(node, "Mul", [centred, centred])
        variance = before(node, "ReduceMean", [square, axes], keepdims=0)
        node.replace_input_with(3, mean)
        node.replace_input_with(4, variance)

    yield Edit(change)


@kind("BatchNorm: mean and variance exchanged", "BatchNormalization")
def mean_and_variance(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Mean is read as variance (its size), variance as mean."""
    mean, variance = (facts.constant(node.inputs[index]) for index in (3, 4))
    if mean is not None and variance is not None:

        def change(rng: np.random.Generator) -> None:
            put(node, 3, variance)
            put(node, 4, np.abs(mean))

        yield Edit(change)


@kind("BatchNorm: variance read as deviation", "BatchNormalization")
def variance_as_deviation(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The variance is squared, as if a deviation had been stored."""
    variance = facts.constant(node.inputs[4])
    if variance is not None:
        yield Edit(lambda rng: put(node, 4, np.square(variance)))


@kind("normalisation: scale and shift exchanged", *NORMS)
def scale_and_shift(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Gamma and beta are in each other's place."""
    if len(node.inputs) < 3 or node.inputs[2] is None:
        return
    gamma, beta = facts.constant(node.inputs[1]), facts.constant(node.inputs[2])
    if gamma is not None and beta is not None and not np.array_equal(gamma, beta):

        def change(rng: np.random.Generator) -> None:
            put(node, 1, beta)
            put(node, 2, gamma)

        yield Edit(change)


@kind("normalisation: shift dropped", *NORMS)
def shift_dropped(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Beta is not added."""
    if len(node.inputs) < 3:
        return
    beta = facts.constant(node.inputs[2])
    if beta is not None and beta.any():
        yield Edit(lambda rng: put(node, 2, np.zeros_like(beta)))


@kind("LayerNorm: over one more axis", "LayerNormalization")
def over_one_more_axis(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Mean and variance are taken over the axis before, too."""
    x = node.inputs[0]
    axis = attribute(node, "axis", -1)
    rank = facts.rank(x)
    if rank < 3 or axis % rank != rank - 1:
        return
    axes = np.array([-2, -1])

    def change(rng: np.random.Generator) -> None:
        _written_out(node, axes, subtract=True)

    yield Edit(change)


@kind("LayerNorm: without the mean", "LayerNormalization")
def without_the_mean(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """An RMSNorm in place of a LayerNorm."""
    axis, rank = attribute(node, "axis", -1), facts.rank(node.inputs[0])
    if rank > 1 and axis % rank == rank - 1:
        yield Edit(lambda rng: _written_out(node, np.array([-1]), subtract=False))


@kind("LayerNorm: variance over n - 1", "LayerNormalization")
def unbiased_variance(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The sample's variance in place of the population's."""
    gamma = facts.constant(node.inputs[1])
    if gamma is not None and gamma.ndim == 1 and gamma.size > 1:
        factor = np.sqrt(1 - 1 / gamma.size)
        yield Edit(lambda rng: put(node, 1, (gamma * factor).astype(gamma.dtype)))


@kind("GroupNorm: half as many groups", "GroupNormalization")
def half_the_groups(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Channels are normalised in groups of twice the size."""
    groups = attribute(node, "num_groups")
    if groups % 2 == 0:
        yield Edit(lambda rng: set_attribute(node, "num_groups", groups // 2))


def _written_out(node: ir.Node, axes: np.ndarray, subtract: bool) -> None:
    """Replace a LayerNormalization by its definition over the given axes."""
    x: Any = node.inputs[0]
    epsilon = np.array(attribute(node, "epsilon", 1e-5), np.float32)
    if subtract:
        x = before(node, "Sub", [x, before(node, "ReduceMean", [x, axes], keepdims=1)])
    square = before(node, "Mul", [x, x])
    variance = before(node, "ReduceMean", [square, axes], keepdims=1)
    root = before(node, "Sqrt", [before(node, "Add", [variance, epsilon])])
    y = before(node, "Mul", [before(node, "Div", [x, root]), node.inputs[1]])
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        y = before(node, "Add", [y, node.inputs[2]])
    redirect(node.outputs[0], y)
