"""Example inputs are one case beside random ones; integers of unknown range take likely values."""

from __future__ import annotations

import numpy as np
import pytest

import converter
from verify import Stage, assert_equivalent, verify

torch = pytest.importorskip("torch")


class Net(torch.nn.Module):
    """A function of ``x`` and a layer."""

    def __init__(self, function, layer: torch.nn.Module | None = None) -> None:
        super().__init__()
        self.function, self.layer = function, layer

    def forward(self, x):
        return self.function(x) if self.layer is None else self.function(x, self.layer)


@pytest.fixture
def layer() -> torch.nn.Module:
    return torch.nn.Linear(4, 3)


def test_a_squeeze_at_batch_1_is_found(layer) -> None:
    right = Net(lambda x, f: f(x)[:, 0], layer)
    wrong = Net(lambda x, f: f(x)[:, :1].squeeze(0), layer)
    x = torch.randn(1, 4)
    assert verify(right, wrong, data=x).passed  # the user says: these and nothing else
    report = verify(right, wrong, inputs=x, seeds=1, locate=False)
    assert report.runs[0].label == "examples"
    assert report.runs[0].stage is Stage.OK
    assert {run.sizes["batch"] for run in report.runs if run.stage.failed} == {2, 3}
    assert any("taken to be a batch" in note for note in report.findings)
    with pytest.raises(AssertionError):
        assert_equivalent(right, wrong, x, seeds=1, locate=False)
    assert verify(right, right, inputs=x, seeds=1).passed


def test_a_fault_at_other_numbers_is_found(layer) -> None:
    right = Net(lambda x, f: f(x), layer)
    wrong = Net(lambda x, f: f(x.clamp(max=1.5)), layer)
    x = torch.zeros(2, 4)
    assert verify(right, wrong, data=x).passed
    assert not verify(right, wrong, inputs=x, seeds=1, locate=False).passed


def test_a_model_of_one_size_is_tried_at_that_size(layer) -> None:
    fixed = Net(lambda x, f: f(x).reshape(2, 3), layer)
    report = verify(fixed, fixed, inputs=torch.randn(2, 4), seeds=1)
    assert report.passed, report.failures
    assert all(not run.sizes for run in report.runs)
    assert len(report.runs) > 1
    assert any("only the examples' sizes" in note for note in report.findings)


def test_what_a_refuses_beside_the_examples_is_a_note() -> None:
    def positive(x):
        if bool((x < 0).any()):
            raise ValueError("x is negative")
        return x.sqrt()

    report = verify(Net(positive), Net(torch.sqrt), inputs=torch.rand(2, 4), seeds=1,
                    tolerance="fixed")  # fmt: skip
    assert report.passed
    assert any("a refuses the inputs" in note for note in report.findings)
    other_way = verify(Net(torch.sqrt), Net(positive), inputs=torch.rand(2, 4), seeds=1,
                       tolerance="fixed")  # fmt: skip
    assert not other_way.passed


def test_integers_stay_within_the_examples_where_nothing_else_is_known() -> None:
    wrong_above = Net(lambda x: 2 * x + (x > 5))
    x = np.array([[2, 5]])
    report = verify(Net(lambda x: 2 * x), wrong_above, inputs=x, seeds=1, tolerance="fixed")
    assert report.passed


def test_a_conversion_runs_its_examples_too(layer) -> None:
    made = converter.convert(layer, "onnx", inputs=(torch.randn(2, 4),))
    labels = [run.label for run in made.report.runs]
    assert labels[0] == "examples"
    assert len(labels) > 3
    alone = converter.convert(
        layer, "onnx", inputs=(torch.randn(2, 4),),
        verifier_options={"data": (np.ones((2, 4), np.float32),)},
    )  # fmt: skip
    assert [run.label for run in alone.report.runs] == ["data"]


def test_a_byte_image_is_tested_with_bytes() -> None:
    right = Net(lambda x: x.float() / 255)
    bright = Net(lambda x: x.float() / 255 + (x > 200) * 1e-3)
    report = verify(right, bright, inputs="x:uint8[batch,4]", seeds=1, locate=False)
    assert not report.passed
    assert any("0 to 255 were used" in note for note in report.findings)
    assert verify(right, right, inputs="x:uint8[batch,4]", seeds=1).passed


def test_a_loop_is_tested_with_several_counts() -> None:
    tf = pytest.importorskip("tensorflow")

    def looped(late: float):
        @tf.function(input_signature=[tf.TensorSpec([2, 3], name="x"),
                                      tf.TensorSpec([], tf.int32, name="n")])  # fmt: skip
        def run(x, n):
            for i in tf.range(n):
                x = x * 0.5 + 1.0 + (late if i > 2 else 0.0)
            return {"y": x}

        return run

    report = verify(looped(0.0), looped(0.01), locate=False)
    assert not report.passed  # at counts of 0 and 1 alone it would
    assert any("0 to 7 were used, because it counts" in note for note in report.findings)
    assert verify(looped(0.0), looped(0.0)).passed
