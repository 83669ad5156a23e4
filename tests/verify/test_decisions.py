"""Integers, booleans and what hangs on them: equal, but where the reference itself is undecided."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper, numpy_helper

from verify import verify
from verify.compare import compare
from verify.noise import Reference

pytest.importorskip("torch")

WIDTH = 64


def graph(tail: list, outputs: dict[str, int], weight: np.ndarray) -> ir.Model:
    """Build ``x @ weight = scores`` and what comes after."""
    nodes = [helper.make_node("MatMul", ["x", "weight"], ["scores"]), *tail]
    infos = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()]
    made = helper.make_graph(
        nodes, "decisions", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, WIDTH])],
        infos, [numpy_helper.from_array(weight, "weight")],
    )  # fmt: skip
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return ir.serde.deserialize_model(model)


def node(op: str, inputs: list[str], outputs: list[str], **attributes: object):
    return helper.make_node(op, inputs, outputs, **attributes)


def weights(generator: np.random.Generator) -> np.ndarray:
    """Classes 3 and 5 score the same up to rounding, more than all others; each sums in an order
    of its own."""
    weight = generator.standard_normal((WIDTH, 8)).astype(np.float32)
    weight[:, 3] = 4 * np.abs(weight[:, 3])
    weight[:, 5] = weight[:, 3] * np.float32(1 + 1e-7)
    return weight


def inputs(generator: np.random.Generator) -> np.ndarray:
    return np.abs(generator.standard_normal((6, WIDTH))).astype(np.float32)


def compared(model: ir.Model, x: np.ndarray, wrong: dict[str, np.ndarray], right: dict):
    noises = Reference(model).noise({"x": x}, right)
    return {name: compare(name, right[name], wrong[name], None, noises[name]) for name in wrong}


def test_a_tie_of_argmax_passes_and_another_class_does_not(generator) -> None:
    tail = [node("ArgMax", ["scores"], ["found"], axis=1, keepdims=1),
            node("Squeeze", ["found", "axes"], ["label"])]  # fmt: skip
    tail.insert(0, node("Constant", [], ["axes"], value_ints=[1]))
    model = graph(tail, {"label": TensorProto.INT64}, weights(generator))
    x = inputs(generator)
    label = np.full(6, 3, np.int64)
    item = compared(model, x, {"label": np.array([3, 5, 3, 5, 5, 3])}, {"label": label})["label"]
    assert item.passed, item.reason
    assert item.ties == 3
    for other in (0, 4, 7, -1, 100):
        wrong = label.copy()
        wrong[2] = other
        item = compared(model, x, {"label": wrong}, {"label": label})["label"]
        assert not item.passed
        assert item.mismatches == 1


def test_equal_numbers_that_nothing_rounds_are_no_tie(generator) -> None:
    """ONNX says which of them counts."""
    made = helper.make_graph(
        [node("ArgMax", ["x"], ["label"], axis=1, keepdims=0)], "copies",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, WIDTH])],
        [helper.make_tensor_value_info("label", TensorProto.INT64, [None])],
    )  # fmt: skip
    proto = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    x = np.zeros((2, WIDTH), np.float32)
    x[:, [7, 9]] = 1
    model = ir.serde.deserialize_model(proto)
    item = compared(model, x, {"label": np.array([7, 9])}, {"label": np.array([7, 7])})["label"]
    assert not item.passed


def test_topk_may_swap_neighbours_that_are_as_large(generator) -> None:
    tail = [node("Constant", [], ["k"], value_ints=[4]),
            node("TopK", ["scores", "k"], ["values", "indices"], axis=1)]  # fmt: skip
    kinds = {"values": TensorProto.FLOAT, "indices": TensorProto.INT64}
    weight = weights(generator)
    model, x = graph(tail, kinds, weight), inputs(generator)
    scores = x.astype(np.float64) @ weight.astype(np.float64)
    indices = np.argsort(-scores, axis=1, kind="stable")[:, :4]
    right = {"values": np.take_along_axis(scores, indices, 1).astype(np.float32),
             "indices": indices}  # fmt: skip
    swapped = indices.copy()
    swapped[:, [0, 1]] = swapped[:, [1, 0]]
    found = compared(model, x, {"values": right["values"], "indices": swapped}, right)
    assert found["values"].passed
    assert found["indices"].passed
    assert found["indices"].ties == 12
    for place, by in (((1, 0), (1, 2)), ((0, 0), (0, 1))):
        wrong = indices.copy()
        wrong[place] = wrong[by]  # another class, or one class twice
        assert not compared(model, x, {"indices": wrong}, right)["indices"].passed


@pytest.mark.parametrize("op", ["Greater", "GreaterOrEqual", "Round", "Floor"])
def test_a_threshold_may_fall_on_either_side_of_a_number_on_it(op: str, generator) -> None:
    """The first row's scores lie on the threshold up to rounding, the others' do not."""
    weight = generator.standard_normal((WIDTH, 8)).astype(np.float32)
    x = inputs(generator)
    exact = x.astype(np.float64) @ weight.astype(np.float64)
    on = exact[0].astype(np.float32)
    edge = {"Round": on - np.float32(0.5), "Floor": on}.get(op, on)
    tail = [node("Constant", [], ["edge"], value=numpy_helper.from_array(edge))]
    if op.startswith("Greater"):
        tail.append(node(op, ["scores", "edge"], ["y"]))
        kind, right = TensorProto.BOOL, exact > edge
    else:
        tail += [node("Sub", ["scores", "edge"], ["d"]), node(op, ["d"], ["r"]),
                 node("Cast", ["r"], ["y"], to=TensorProto.INT64)]  # fmt: skip
        kind = TensorProto.INT64
        right = (np.round if op == "Round" else np.floor)(exact - edge).astype(np.int64)
    model = graph(tail, {"y": kind}, weight)
    other = right.copy()
    step = {"Round": np.where(right[0] == 1, -1, 1), "Floor": np.where(right[0] == 0, -1, 1)}
    other[0] = ~right[0] if op.startswith("Greater") else right[0] + step[op]
    item = compared(model, x, {"y": other}, {"y": right})["y"]
    assert item.passed, item.reason
    assert item.ties == 8
    wrong = right.copy()
    wrong[3, 2] = ~wrong[3, 2] if op.startswith("Greater") else wrong[3, 2] + 1
    assert not compared(model, x, {"y": wrong}, {"y": right})["y"].passed


def test_floats_that_a_tie_chose_may_be_those_of_either(generator) -> None:
    tail = [node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
            node("Constant", [], ["table"],
                 value=numpy_helper.from_array(np.arange(8, dtype=np.float32) * 1.7)),
            node("Gather", ["table", "label"], ["y"])]  # fmt: skip
    model = graph(tail, {"y": TensorProto.FLOAT}, weights(generator))
    x, right = inputs(generator), np.full(6, 3 * np.float32(1.7), np.float32)
    other = right.copy()
    other[4] = np.float32(5) * np.float32(1.7)
    item = compared(model, x, {"y": other}, {"y": right})["y"]
    assert item.passed, item.reason
    other[4] = np.float32(7) * np.float32(1.7)
    assert not compared(model, x, {"y": other}, {"y": right})["y"].passed


def test_a_report_says_that_there_was_a_tie(generator) -> None:
    import torch

    weight = torch.from_numpy(weights(generator))

    class Labels(torch.nn.Module):
        def __init__(self, order: list[int]) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(weight[:, order])
            self.register_buffer("order", torch.tensor(order))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.order[(x @ self.weight).argmax(1)]

    x = inputs(generator)
    a = Labels([0, 1, 2, 3, 4, 5, 6, 7])
    tied = Labels([0, 1, 2, 5, 4, 3, 6, 7])
    with torch.no_grad():
        differ = int((a(torch.from_numpy(x)) != tied(torch.from_numpy(x))).sum())
    report = verify(a, tied, data={"x": x}, inputs=f"x:float32[batch,{WIDTH}]")
    assert report.passed, report.failures
    assert sum(item.ties for item in report.outputs.values()) == differ
    assert bool(differ) == any("undecided" in finding for finding in report.findings)
