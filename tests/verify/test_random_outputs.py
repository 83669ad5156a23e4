"""Outputs that depend on random numbers: found in the graph, compared in distribution."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import converter
from verify import Stage, verify
from verify.random_outputs.step import STAGE
from verify.random_outputs.two_samples import compared, repeats

torch = pytest.importorskip("torch")

INPUTS = "x:float32[batch,16]"


class Sampling(torch.nn.Module):
    """A variational autoencoder: a random reconstruction, an exact mean and variance."""

    def __init__(self, draw: Callable = torch.randn_like, shift: float = 0.0) -> None:
        super().__init__()
        self.encode, self.decode = torch.nn.Linear(16, 8), torch.nn.Linear(4, 16)
        self.draw, self.shift = draw, shift

    def forward(self, x):
        mean, log_variance = self.encode(x).chunk(2, dim=1)
        mean = mean + self.shift
        z = mean + self.draw(mean) * torch.exp(0.5 * log_variance)
        return torch.sigmoid(self.decode(z)), mean


def _kept(found: dict = {}) -> Callable:  # noqa: B006
    return lambda x: found.setdefault(x.shape, torch.randn(x.shape))


FAULTS = {
    "a deviation off by a tenth": lambda x: 1.1 * torch.randn_like(x),
    "a shifted mean": lambda x: 0.1 + torch.randn_like(x),
    "uniform instead of normal": lambda x: (torch.rand_like(x) - 0.5) * 12**0.5,
    "the same draw at every call": _kept(),
    "one draw for all rows": lambda x: torch.randn_like(x[:1]).expand_as(x),
    "no noise": torch.zeros_like,
}


@pytest.fixture(scope="module")
def source() -> Sampling:
    return Sampling().eval()


def twin(source: Sampling, *how: object) -> Sampling:
    result = Sampling(*how)
    result.load_state_dict(source.state_dict())
    return result.eval()


def test_a_right_pair_passes_and_the_report_tells_how(source: Sampling) -> None:
    report = verify(source, twin(source), inputs=INPUTS, seeds=1)
    assert report.passed, report.failures
    (row,) = report.random.outputs
    assert (row.name, row.source) == ("output_0", "RandomNormalLike")
    assert row.significance == STAGE**2
    assert 0 < row.finds_std <= 0.11
    assert report.outputs["output_0"].verdict == "random"
    assert report.outputs["output_1"].verdict == "ok"  # the rest element by element
    for form in ("json", "junit", "html", "markdown", "text"):
        text = str(report) if form == "text" else getattr(report, f"to_{form}")()
        assert "andom" in text, form
    assert "draws of" in str(report)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_distribution_is_found(source: Sampling, fault: str) -> None:
    report = verify(source, twin(source, FAULTS[fault]), inputs=INPUTS, seeds=1, locate=False)
    assert not report.passed
    assert any("random output output_0" in line for line in report.failures)
    assert all(not run.stage.failed for run in report.runs)


def test_the_exact_part_counts_and_locating_it_leaves_the_draws_alone(source: Sampling) -> None:
    report = verify(source, twin(source, torch.randn_like, 1e-4), inputs=INPUTS, seeds=1)
    assert not report.passed
    assert any("output_1" in line for line in report.failures)
    named = {node.op for node in report.depth.origins}
    assert named
    assert not any(op.startswith("Random") for op in named)


def test_node_by_node_and_training_do_not_accuse_the_draw(source: Sampling) -> None:
    report = verify(source, twin(source), inputs=INPUTS, seeds=1, deep=True, grad=True, steps=1)
    assert report.passed, report.failures
    assert report.depth.nodes
    assert not any(node.op.startswith("Random") for node in report.depth.nodes)
    assert report.training.gradients


class Noisy(torch.nn.Module):
    """All that comes out is random."""

    def __init__(self, size: float = 1.0) -> None:
        super().__init__()
        self.size = size

    def forward(self, x):
        return x + self.size * torch.randn_like(x)


@pytest.mark.parametrize("tolerance", ["auto", "fixed"])
def test_where_all_outputs_are_random(tolerance: str) -> None:
    """With fixed limits nobody asks for the graph: a does not repeat itself."""
    right = verify(Noisy(), Noisy(), inputs=INPUTS, seeds=1, tolerance=tolerance)
    assert right.passed, right.failures
    assert Stage.OK not in {run.stage for run in right.runs}
    wrong = verify(Noisy(), Noisy(1.1), inputs=INPUTS, seeds=1, tolerance=tolerance)
    assert not wrong.passed


def test_an_exact_model_against_a_random_one_fails_element_by_element() -> None:
    report = verify(Noisy(0.0), Noisy(1e-2), inputs=INPUTS, seeds=1, locate=False)
    assert not report.passed


NORMAL = np.random.Generator.standard_normal


@pytest.mark.parametrize(("draws", "elements"), [(48, 64), (220, 16)])
def test_right_pairs_raise_no_alarm_over_20_seeds(draws: int, elements: int, generator) -> None:
    alarms = 0
    for seed in range(20):
        again = (compared(generator.standard_normal((draws, elements)),
                          generator.standard_normal((draws, elements)), "float32", seed=seed).p
                 for _ in range(2))  # fmt: skip
        alarms += all(p <= STAGE for p in again)
    assert alarms == 0


def test_elements_that_depend_on_each_other_raise_none_either(generator) -> None:
    mix = generator.standard_normal((2, 200))
    draws = [np.tanh(generator.standard_normal((200, 2)) @ mix) for _ in range(4)]
    ps = [compared(draws[i], draws[i + 1], "float32").p for i in (0, 2)]
    assert max(ps) > STAGE


def test_a_few_values_are_counted_one_by_one(generator) -> None:
    a = generator.choice(4, (300, 8), p=[0.4, 0.1, 0.1, 0.4]).astype(float)
    b = generator.choice(4, (300, 8), p=[0.35, 0.15, 0.15, 0.35]).astype(float)
    assert compared(a, b, "int64").p <= STAGE
    assert repeats(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0]])) == 1


def _outputs(*nodes, outputs: list[str]):
    import onnx
    import onnx_ir as ir
    from onnx import TensorProto, helper, numpy_helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])
    made = [onnx.ValueInfoProto(name=name) for name in outputs]
    true = numpy_helper.from_array(np.array(True), "true")
    half = numpy_helper.from_array(np.array(0.5, np.float32), "half")
    model = helper.make_graph(list(nodes), "g", [x], made, [true, half])
    return ir.serde.deserialize_model(helper.make_model(model))


def test_which_outputs_draw_is_read_off_the_graph() -> None:
    from onnx import TensorProto, helper

    from verify.random_outputs.dependence import keeping_outputs, random_outputs

    body = helper.make_graph(
        [helper.make_node("RandomUniform", [], ["u"], shape=[2])], "then", [],
        [helper.make_tensor_value_info("u", TensorProto.FLOAT, [2])],
    )  # fmt: skip
    model = _outputs(
        helper.make_node("RandomNormalLike", ["x"], ["noise"]),
        helper.make_node("Add", ["x", "noise"], ["drawn"]),
        helper.make_node("Shape", ["drawn"], ["size"]),
        helper.make_node("If", ["true"], ["branch"], then_branch=body, else_branch=body),
        helper.make_node("Dropout", ["x", "half", "true"], ["dropped"]),
        helper.make_node("Dropout", ["x", "half"], ["kept"]),
        outputs=["drawn", "size", "branch", "dropped", "kept"],
    )
    assert random_outputs(model) == {
        "drawn": ("RandomNormalLike",), "branch": ("RandomUniform",), "dropped": ("Dropout",),
    }  # fmt: skip
    rest = keeping_outputs(model, [False, False, False, False, True])
    assert [node.op_type for node in rest.graph] == ["Dropout"]
    assert len(model.graph.outputs) == 5


class Blurred(torch.nn.Module):
    """Draws for its first output in one way or another, or not at all."""

    def __init__(self, layer: torch.nn.Module, scale: float) -> None:
        super().__init__()
        self.blur, self.scale = layer, scale

    def forward(self, x):
        y = self.blur(x)
        return (y + self.scale * torch.randn_like(y) if self.scale else y), y * 2


@pytest.mark.parametrize("as_file", [False, True])
def test_draws_of_b_alone_are_named(as_file: bool, tmp_path: Path) -> None:
    layer = torch.nn.Linear(16, 3).eval()
    exact, drawing = Blurred(layer, 0.0).eval(), Blurred(layer, 0.1).eval()
    b: object = drawing
    if as_file:
        b = tmp_path / "b.onnx"
        converter.convert(drawing, "onnx", inputs=[INPUTS], output=b, verify=False)
    runtime = "b=onnx_reference" if as_file else None  # ONNX Runtime lacks the newest draws
    report = verify(exact, b, inputs=INPUTS, seeds=1, locate=False, runtime=runtime)
    assert not report.passed
    assert not report.outputs["output_0"].random  # it is wrong, whatever it is drawn from
    (told,) = [line for line in report.findings if "b draws random numbers" in line]
    assert "for output_0 (RandomNormalLike at " in told
    right = verify(exact, Blurred(layer, 0.0).eval(), inputs=INPUTS, seeds=1)
    assert right.passed
    assert not [line for line in right.findings if "draws" in line]


FUNCTION = """<ir_version: 9, opset_import: ["" : 18, "own" : 1]>
agraph (float[n, 4] x) => (float[n, 4] y, float[n, 4] z) {
    y = own.blur (x)
    z = Neg (x)
}
<domain: "own", opset_import: ["" : 18]>
blur (x) => (y) {
    noise = RandomNormalLike (x)
    y = Add (x, noise)
}"""


def test_a_draw_inside_a_function_of_the_file_is_seen() -> None:
    import onnx_ir as ir

    from verify.random_outputs.dependence import random_outputs

    assert random_outputs(ir.from_onnx_text(FUNCTION)) == {"y": ("RandomNormalLike",)}


def test_draws_of_an_output_that_nobody_can_tell_are_said() -> None:
    import onnx_ir as ir

    from verify.matching import View
    from verify.random_outputs.dependence import RandomParts

    graph, parts = ir.from_onnx_text(FUNCTION), RandomParts()
    told = parts.read(graph, View("a", None), dict.fromkeys(("p", "q", "r")))
    assert "RandomNormalLike" in told
    assert not parts.names
    assert not parts.read(graph, View("a", None), dict.fromkeys(("p", "q")))
    assert parts.names == {"p": "RandomNormalLike"}
