"""Recurrent layers: gates, directions, states."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.edit import attribute, before, set_attribute
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import Edit, kind

RECURRENT = ("LSTM", "GRU", "RNN")
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def _input(node: ir.Node, index: int) -> ir.Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def _hidden(node: ir.Node) -> int:
    return attribute(node, "hidden_size")


def _gates_reordered(node: ir.Node, gates: list[int], weights: tuple[int, ...] = (1, 2, 3)) -> None:
    size = _hidden(node)
    order = np.concatenate([np.arange(gate * size, (gate + 1) * size) for gate in gates])
    for index in weights:
        value = _input(node, index)
        if value is not None:
            full = np.concatenate([order, order + len(order)]) if index == 3 else order
            node.replace_input_with(index, before(node, "Gather", [value, full], axis=1))


@kind("LSTM: order of gates", "LSTM")
def lstm_gates(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Input, forget and cell gates in the order of the other framework."""
    for order in ([0, 2, 1, 3], [0, 1, 3, 2], [2, 1, 0, 3]):
        yield Edit(lambda rng, gates=order: _gates_reordered(node, gates))


@kind("GRU: order of gates", "GRU")
def gru_gates(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Reset and update gate exchanged: PyTorch's order in place of ONNX's."""
    yield Edit(lambda rng: _gates_reordered(node, [1, 0, 2]))


@kind("recurrent: order of gates in one weight", "LSTM", "GRU")
def gates_of_one_weight(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Only the recurrent weight has its gates in another order."""
    order = [1, 0, 2, 3][: GATES[node.op_type]]
    yield Edit(lambda rng: _gates_reordered(node, order, (2,)))


@kind("GRU: linear_before_reset", "GRU")
def linear_before_reset(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The reset gate is applied before the linear map, or after it."""
    other = 1 - attribute(node, "linear_before_reset", 0)
    yield Edit(lambda rng: set_attribute(node, "linear_before_reset", other))


@kind("recurrent: direction", *RECURRENT)
def direction(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """A layer runs backwards that should run forwards."""
    other = {"forward": "reverse", "reverse": "forward"}
    current = attribute(node, "direction", "forward")
    if current in other:
        yield Edit(lambda rng: set_attribute(node, "direction", other[current]))


@kind("recurrent: order of directions", *RECURRENT)
def direction_order(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Forward and backward weights are in each other's place."""
    if attribute(node, "direction", "forward") != "bidirectional":
        return

    def change(rng: np.random.Generator) -> None:
        for index in (1, 2, 3):
            value = _input(node, index)
            if value is not None:
                turned = before(node, "Gather", [value, np.array([1, 0])], axis=0)
                node.replace_input_with(index, turned)

    yield Edit(change)


@kind("recurrent: state not reset", *RECURRENT)
def state_not_reset(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The layer begins with the state that an earlier call left."""
    shape = facts.shape(_input(node, 5))
    if len(shape) != 3:
        return
    directions, _, hidden = shape

    def change(rng: np.random.Generator) -> None:
        left = rng.uniform(-0.5, 0.5, (directions, 1, hidden)).astype(np.float32)
        state = node.inputs[5]
        node.replace_input_with(5, before(node, "Add", [state, left]))

    yield Edit(change)


@kind("recurrent: lengths ignored", *RECURRENT)
def lengths_ignored(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Padding is read as if it were part of the sequence."""
    if _input(node, 4) is not None:
        yield Edit(lambda rng: node.replace_input_with(4, None), lost=node.inputs[4])


@kind("recurrent: bias of the recurrent half dropped", *RECURRENT)
def recurrent_bias_dropped(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Only one of the two biases is used."""
    shape = facts.shape(_input(node, 3))
    if len(shape) != 2:
        return
    half = np.repeat(np.array([1, 0], np.float32), shape[1] // 2)

    def change(rng: np.random.Generator) -> None:
        node.replace_input_with(3, before(node, "Mul", [node.inputs[3], half]))

    yield Edit(change)


@kind("GRU: biases added up", "GRU")
def gru_biases_merged(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """Both biases in one, which is right for every gate but the last."""
    shape = facts.shape(_input(node, 3))
    if len(shape) != 2 or not attribute(node, "linear_before_reset", 0):
        return

    def change(rng: np.random.Generator) -> None:
        axes, half = np.array([1]), np.array([shape[1] // 2])
        w = before(node, "Slice", [node.inputs[3], np.array([0]), half, axes])
        r = before(node, "Slice", [node.inputs[3], half, np.array([shape[1]]), axes])
        total = before(node, "Add", [w, r])
        nothing = before(node, "Sub", [r, r])
        node.replace_input_with(3, before(node, "Concat", [total, nothing], axis=1))

    yield Edit(change)


@kind("recurrent: hard sigmoid for its gates", "LSTM", "GRU")
def hard_gates(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The recurrent activation is Keras's old default."""
    if "activations" in node.attributes:
        return
    twice = 2 if attribute(node, "direction", "forward") == "bidirectional" else 1
    names = ("HardSigmoid", "Tanh", "Tanh") if node.op_type == "LSTM" else ("HardSigmoid", "Tanh")

    def change(rng: np.random.Generator) -> None:
        set_attribute(node, "activations", names * twice)
        set_attribute(node, "activation_alpha", (0.2,) * twice)
        set_attribute(node, "activation_beta", (0.5,) * twice)

    yield Edit(change)


@kind("recurrent: output a step late", *RECURRENT)
def a_step_late(node: ir.Node, facts: Facts) -> Iterator[Edit]:
    """The sequence is read one step late: its first step twice, its last not at all."""
    shape = facts.shape(node.inputs[0])
    if len(shape) != 3:
        return
    axis = 1 if attribute(node, "layout", 0) else 0

    def change(rng: np.random.Generator) -> None:
        x = node.inputs[0]
        axes, starts = np.array([axis]), np.array([0])
        first = before(node, "Slice", [x, starts, np.array([1]), axes])
        rest = before(node, "Slice", [x, starts, np.array([-1]), axes])
        node.replace_input_with(0, before(node, "Concat", [first, rest], axis=axis))

    yield Edit(change)
