"""What tracing froze is named with its place; what it did not freeze is not."""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from converter.signature import parse_inputs
from tests.verify.models import classifier, constant, node
from verify import verify
from verify.frozen import differences, examples

torch = pytest.importorskip("torch")

INPUTS = "x:float32[batch,4]"


class Clean(torch.nn.Module):
    """Freezes nothing: sizes, parameters and buffers are what they are."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)
        self.register_buffer("table", torch.arange(4.0))

    def forward(self, x):
        return self.linear(x) * x.shape[0] + self.table + torch.arange(x.shape[0])[:, None] * 0.5


class Drawn(Clean):
    def forward(self, x):
        return super().forward(x) * random.random()


class Table(Clean):
    def forward(self, x):
        return x + torch.from_numpy(np.random.rand(4).astype(np.float32))


class Counting(Clean):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x * self.calls


class Clocked(Clean):
    def forward(self, x):
        return x * (time.perf_counter() % 100)


class Branching(Clean):
    def __init__(self):
        super().__init__()
        self.odd = False

    def forward(self, x):
        self.odd = not self.odd
        return x if self.odd else torch.tanh(2 * x)


class Noisy(Clean):
    def forward(self, x):
        return x + torch.randn(4)


class Whole(torch.nn.Module):
    """Has a part that freezes, to be named."""

    def __init__(self):
        super().__init__()
        self.block = torch.nn.ModuleDict({"head": Drawn()})

    def forward(self, x):
        return self.block["head"](torch.tanh(x))


FROZEN = {
    Drawn: ("Constant", "in one trace"),
    Table: ("Add|Cast", "in one trace"),
    Counting: ("Constant", "in one trace"),
    Clocked: ("Constant", "in one trace"),
    Branching: ("Identity|Mul|Constant", "nodes in one trace|in one trace, a"),
    Noisy: ("RandomNormalLike", "draws random numbers"),
    Whole: ("Constant", "block.head, tests/verify/test_frozen.py:"),
}  # fmt: skip


def told(report) -> list[str]:
    return [note for note in report.findings if note.startswith("frozen by tracing a")]


@pytest.mark.parametrize("network", FROZEN)
def test_frozen_constants_are_named(network) -> None:
    model = network()
    report = verify(model, model, inputs=INPUTS, frozen=True, tolerance="fixed", seeds=1)
    ops, words = FROZEN[network]
    found = told(report)
    assert any(word in note for note in found for word in words.split("|")), report.findings
    assert any(op in found[0] for op in ops.split("|")), found
    if network not in (Noisy, Branching):  # a trace may begin with a node of its own
        assert any("test_frozen.py:" in note for note in found), found


def test_what_is_no_constant_of_the_trace_is_not_named() -> None:
    report = verify(Clean(), Clean(), inputs=INPUTS, frozen=True, tolerance="fixed", seeds=1)
    assert told(report) == []
    other = verify(
        Drawn(), Drawn(), inputs=INPUTS, frozen=False, tolerance="fixed", seeds=1, weights=False
    )
    assert not other.passed
    assert told(other) == []


def test_after_a_mismatch_the_cause_is_looked_for_unasked() -> None:
    report = verify(Drawn(), Clean(), inputs=INPUTS, tolerance="fixed", seeds=1, weights=False)
    assert not report.passed
    assert told(report)


def test_a_graph_cannot_be_frozen_anew(tmp_path: Path) -> None:
    model = classifier()
    report = verify(model, model, frozen=True)
    assert any("a is a graph already" in note for note in report.findings)
    program = torch.export.export(Clean(), (torch.ones(2, 4),))
    report = verify(program, program, frozen=True, seeds=1)
    assert any("a is a graph already" in note for note in report.findings)


def test_workers_look_as_well(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "drawing_nets.py").write_text(
        "import random, torch\n\n\nclass Net(torch.nn.Linear):\n    def forward(self, x):\n"
        "        return super().forward(x) * random.random()\n\n\n"
        "def net():\n    return Net(4, 3)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    weights = tmp_path / "weights.pt"
    torch.save(torch.nn.Linear(4, 3).state_dict(), weights)
    report = verify(
        weights, weights, factory="drawing_nets:net", inputs=INPUTS, tolerance="fixed",
        frozen=True, seeds=1,
    )  # fmt: skip
    assert any("drawing_nets.py:6" in note for note in told(report)), report.findings


def test_keras_models_look_as_well() -> None:
    keras = pytest.importorskip("keras")

    class Scaled(keras.layers.Layer):
        def call(self, x):
            return x * random.random()

    inputs = keras.Input((4,), name="x")
    model = keras.Model(inputs, Scaled(name="scaled")(inputs))
    report = verify(model, model, frozen=True, tolerance="fixed", seeds=1)
    assert told(report), report.findings
    inputs = keras.Input((4,), name="x")
    sound = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    assert told(verify(sound, sound, frozen=True, tolerance="fixed", seeds=1)) == []


def graph(nodes: list) -> ir.Model:
    value = helper.make_tensor_value_info("sum", TensorProto.FLOAT, [3])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    proto = helper.make_model(helper.make_graph(nodes, "g", [value], [out]))
    return ir.serde.deserialize_model(proto)


def scaled(number: object) -> list:
    return [constant("factor", np.asarray(number)), *node("Mul", ["sum", "factor"])]


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (scaled(np.float32(2)), scaled(np.float32(2)), None),
        (scaled(np.float32(np.nan)), scaled(np.float32(np.nan)), None),
        (scaled(np.float32(2)), scaled(np.float32(2.5)), "has 2 in one trace, 2.5 in another"),
        (scaled(np.float32(0)), scaled(np.float32(-0.0)), "has 0 in one trace, -0 in another"),
        (scaled(np.ones(3, "f")), scaled(np.ones(2, "f")), "float32[3] in one trace"),
        (node("Softmax", ["sum"], axis=0), node("Softmax", ["sum"], axis=-1), "axis=0 in one"),
        (node("Softmax", ["sum"], axis=0), node("Softmax", ["sum"]), "axis set in one"),
        (node("Relu", ["sum"]), node("Tanh", ["sum"]), "this Relu in one trace, a Tanh"),
        (node("Relu", ["sum"]), scaled(np.float32(2)), "this Relu in one trace, a Mul"),
        (scaled(np.float32(2)), [*scaled(np.float32(2)), *node("Relu", ["out"])][:2], None),
    ],
)
def test_two_graphs_side_by_side(one: list, other: list, words: str | None) -> None:
    found = [str(item) for item in differences(graph(one), graph(other))]
    assert (words is None and not found) or any(words in item for item in found), found


def test_more_nodes_in_one_trace() -> None:
    longer = [
        helper.make_node("Relu", ["sum"], ["less"]), *node("Tanh", ["less"]),
    ]  # fmt: skip
    found = differences(graph(node("Relu", ["sum"])), graph(longer))
    assert "this Relu in one trace, a Tanh in another" in str(found[0])


def test_examples_differ_in_values_and_in_every_open_size() -> None:
    texts = ["x:float32[batch,8<=h<=64,5]", "ids:int64[batch,seq<=4]", "y:float32[7<=k<=7]"]
    first, second = examples(parse_inputs(texts))
    assert first["x"].shape[0] != second["x"].shape[0]
    assert first["x"].shape[1] != second["x"].shape[1]
    assert first["ids"].shape[1] <= 4
    assert second["ids"].shape[1] <= 4
    assert first["y"].shape == second["y"].shape == (7,)
    assert not np.array_equal(first["y"], second["y"])


class Two(torch.nn.Module):
    def __init__(self, dead: bool) -> None:
        super().__init__()
        self.dead = dead

    def forward(self, x, offset):
        return x + (3.0 if self.dead else offset)


def test_an_output_that_does_not_follow_an_input_is_named() -> None:
    inputs = ["x:float32[batch,4]", "offset:float32[4]"]
    report = verify(Two(False), Two(True), inputs=inputs, tolerance="fixed", seeds=1)
    named = [note for note in report.findings if "stays the same" in note]
    assert len(named) == 1
    assert "of b stays the same when offset alone changes" in named[0]
    other = verify(Two(True), Two(False), inputs=inputs, tolerance="fixed", seeds=1)
    assert any("of a stays the same when offset" in note for note in other.findings)


def test_names_and_the_order_of_nodes_are_no_difference() -> None:
    nodes = [
        helper.make_node("Relu", ["sum"], ["r"], name="one"),
        helper.make_node("Tanh", ["sum"], ["t"], name="other"),
        helper.make_node("Sub", ["r", "t"], ["out"], name="both"),
    ]
    turned = [
        helper.make_node("Tanh", ["sum"], ["x"], name="first"),
        helper.make_node("Relu", ["sum"], ["y"], name="second"),
        helper.make_node("Sub", ["y", "x"], ["out"], name="third"),
    ]
    assert differences(graph(nodes), graph(turned)) == []
    crossed = [*turned[:2], helper.make_node("Sub", ["x", "y"], ["out"], name="third")]
    found = [str(item) for item in differences(graph(nodes), graph(crossed))]
    assert any("this Relu in one trace, a Tanh" in item for item in found)
