"""Faults that cannot change anything are not planted, and of others it is said why they may not."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from benchmarks.mutants.facts import Facts, observe
from benchmarks.mutants.graphs import FLOAT, INT64, Drawing
from benchmarks.mutants.judge import Verdict
from benchmarks.mutants.plant import Place, places, plant, read_nodes
from benchmarks.mutants.spans import span
from benchmarks.mutants.tables import tables
from benchmarks.mutants.unchanged import UNKNOWN, why_unchanged


def pool(size: int, pads: tuple[int, ...] = (), activation: str = "") -> tuple[ir.Model, Facts]:
    d = Drawing("pool", 0)
    x = d.input("x", FLOAT, ["batch", 2, size, size])
    y = d.add(activation, x) if activation else d.add("Neg", x)
    y = d.add("MaxPool", y, kernel_shape=(3, 3), strides=(2, 2), pads=pads or (0, 0, 0, 0))
    model = d.model(y=(y, FLOAT, ["batch", 2, "h", "w"]))
    return model, observe(model, {"x": np.ones((2, 2, size, size), np.float32)})


def kinds(model: ir.Model, facts: Facts) -> set[str]:
    return {place.kind for place in places(model, facts)}


@pytest.mark.parametrize(("size", "differ"), [(7, False), (8, True)])
def test_ceil_mode_only_where_a_window_is_incomplete(size: int, differ: bool) -> None:
    assert ("pooling: ceil_mode" in kinds(*pool(size))) == differ


@pytest.mark.parametrize(
    ("size", "activation", "differ"), [(8, "", True), (7, "", False), (8, "Relu", False)]
)
def test_padding_only_where_a_window_reads_it(size: int, activation: str, differ: bool) -> None:
    found = kinds(*pool(size, (0, 0, 1, 1), activation))
    assert ("pooling: padded with zeros" in found) == differ


def counted(bound: int) -> tuple[ir.Model, Facts, Any]:
    d = Drawing("counted", 0)
    ids = d.input("ids", INT64, ["length"])
    y = d.add("Add", d.add("Mul", ids, np.int64(3)), np.int64(1))
    model = d.model(y=(y, INT64, ["length"]))
    facts = observe(model, {"ids": np.arange(5)})
    facts.bounds["ids"] = 0, bound
    return model, facts, model.graph.outputs[0]


@pytest.mark.parametrize(
    ("bound", "eight", "wide"), [(40, False, False), (200, True, False), (1 << 31, True, True)]
)
def test_integers_only_where_they_can_wrap_around(bound: int, eight: bool, wide: bool) -> None:
    model, facts, result = counted(bound)
    found = kinds(model, facts)
    assert span(result, facts) == (1, 3 * bound + 1)
    assert ("integer: kept in eight bits" in found) == eight
    assert ("integer: kept in 32 bits" in found) == wide


@pytest.mark.parametrize("threshold", [0, 1])
def test_masks_only_where_the_condition_can_choose_them(threshold: int) -> None:
    d = Drawing("masked", 0)
    x = d.input("x", FLOAT, ["length"])
    length = d.add("Squeeze", d.add("Shape", x))
    at = d.add("Range", np.int64(0), length, np.int64(1))
    allowed = d.add("GreaterOrEqual", at, np.int64(threshold))
    y = d.add("Softmax", d.add("Where", allowed, x, np.float32(-1e9)))
    model = d.model(y=(y, FLOAT, ["length"]))
    facts = observe(model, {"x": np.ones(5, np.float32)})
    assert ("mask: missing" in kinds(model, facts)) == (threshold == 1)
    assert ("mask: leaks" in kinds(model, facts)) == (threshold == 1)


@pytest.mark.parametrize(("side", "cancels"), [(1, True), (0, False)])
def test_a_bias_of_the_keys_is_told_from_one_of_the_queries(side: int, cancels: bool) -> None:
    d = Drawing("attention", 0)
    x = d.input("x", FLOAT, ["length", 4])
    biased = d.add("Add", x, d.weight(4))
    turned = d.add("Transpose", biased if side else x, perm=(1, 0))
    y = d.add("Softmax", d.add("MatMul", x if side else biased, turned))
    model = d.model(y=(y, FLOAT, ["length", "length"]))
    facts = observe(model, {"x": np.ones((3, 4), np.float32)})
    index = next(i for i, node in enumerate(model.graph) if node.op_type == "Add")
    text = why_unchanged(Place("bias: dropped", index, 0), list(model.graph)[index], facts)
    assert (text != UNKNOWN) == cancels


@pytest.mark.parametrize(("operator", "summed"), [("LSTM", True), ("GRU", False)])
def test_the_biases_of_an_lstm_are_summed_in_any_order(operator: str, summed: bool) -> None:
    """A GRU's are not: between the two stands the reset gate."""
    d = Drawing("recurrent", 0)
    gates = {"LSTM": 4, "GRU": 3}[operator]
    x = d.input("x", FLOAT, ["length", 1, 2])
    bias = d.add("Concat", d.weight(1, gates * 3), d.weight(1, gates * 3), axis=1)
    weights = d.weight(1, gates * 3, 2), d.weight(1, gates * 3, 3)
    y = d.add(operator, x, *weights, bias, hidden_size=3)
    model = d.model(y=(y, FLOAT, ["length", 1, 1, 3]))
    facts = observe(model, {"x": np.ones((4, 1, 2), np.float32)})
    nodes = list(model.graph)
    index = next(i for i, node in enumerate(nodes) if node.op_type == "Concat")
    text = why_unchanged(Place("concatenation: order", index, 0), nodes[index], facts)
    assert (text != UNKNOWN) == summed


@pytest.mark.parametrize(("epsilon", "lost"), [(1e-12, True), (1e-5, False)])
def test_a_tiny_epsilon_is_lost_in_rounding(epsilon: float, lost: bool) -> None:
    d = Drawing("normalised", 0)
    x = d.input("x", FLOAT, [2, 4])
    y = d.add("LayerNormalization", x, d.weight(4), d.weight(4), epsilon=epsilon)
    model = d.model(y=(y, FLOAT, [2, 4]))
    facts = observe(model, {"x": np.ones((2, 4), np.float32)})
    nodes = list(model.graph)
    index = next(i for i, node in enumerate(nodes) if node.op_type == "LayerNormalization")
    text = why_unchanged(Place("epsilon: ten times", index, 0), nodes[index], facts)
    assert (text != UNKNOWN) == lost


def test_each_fault_that_changes_nothing_is_listed_with_its_reason() -> None:
    same = Verdict("m", "k", 7, 0, "Max", changed=False, bits=False, why="only its shape is read")
    assert "m, k, node 7 (Max), the same bits: only its shape is read" in tables([same], {})


def test_nothing_is_planted_where_only_a_shape_is_read() -> None:
    d = Drawing("first step", 0)
    x = d.input("x", FLOAT, ["batch", 4])
    first = d.add("Tanh", x)
    zeros = d.add("ConstantOfShape", d.add("Shape", first))
    y = d.add("Add", d.add("Sigmoid", x), zeros)
    model = d.model(y=(y, FLOAT, ["batch", 4]))
    assert {node.op_type for node in model.graph} - {
        node.op_type for node in read_nodes(model)
    } == {"Tanh"}
    facts = observe(model, {"x": np.ones((3, 4), np.float32)})
    at = {list(model.graph)[place.node].op_type for place in places(model, facts)}
    assert "Tanh" not in at
    assert "Sigmoid" in at


def test_a_fault_in_a_body_is_found_at_the_loop() -> None:
    model = ir.from_onnx_text("""<ir_version: 10, opset_import: ["" : 20]>
        g (float[3] x, bool go) => (float[3] y) {
            turns = Constant<value_int=2>()
            y = Loop(turns, go, x)<body = step (int64 i, bool on, float[3] s)
                                   => (bool next, float[3] t) {
                next = Identity(on)
                t = Tanh(s)
            }>
        }""")
    for index, node in enumerate(model.graph.all_nodes()):
        node.name = f"{node.op_type}_{index}"
    facts = observe(model, {"x": np.ones(3, np.float32), "go": np.array(True)})
    place = next(p for p in places(model, facts) if p.kind.startswith("activation"))
    truth = plant(model, facts, place, 0).truth
    assert {name.split("_")[0] for name in truth} == {"Tanh", "Loop"}
