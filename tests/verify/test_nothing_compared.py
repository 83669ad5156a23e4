"""Verdicts on nothing: what was not compared does not pass, and each form of a report says why."""

from __future__ import annotations

import numpy as np
import pytest

from tests.verify.models import classifier, saved
from verify import Stage, verify
from verify.command import Invocation
from verify.report.result import Uncompared

torch = pytest.importorskip("torch")

INPUTS = "x:float32[n,4]"
FORMS = ("json", "junit", "html", "markdown", "sarif", "text")


class Net(torch.nn.Module):
    """A function of ``x``."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def _refuses_rows(x):
    if len(x):
        raise ValueError("no rows, please")
    return x


NOTHING = {
    "both raise on everything but the empty batch": (_refuses_rows, {"inputs": INPUTS}),
    "every run came out NaN": (lambda x: x * float("nan"), {"inputs": INPUTS}),
    "every run came out infinite": (lambda x: x.abs() + float("inf"), {"inputs": INPUTS}),
    "the outputs have no elements": (lambda x: x[:, :0], {"inputs": INPUTS}),
    "the data are all NaN": (lambda x: 2 * x, {"data": np.full((3, 4), np.nan, np.float32)}),
}


@pytest.fixture(scope="module")
def reports() -> dict:
    return {name: verify(Net(f), Net(f), seeds=1, **how) for name, (f, how) in NOTHING.items()}


@pytest.mark.parametrize("case", NOTHING)
def test_without_a_compared_element_there_is_no_pass(case: str, reports) -> None:
    report = reports[case]
    assert not report.passed
    assert not report.compared
    assert Stage.OK not in {run.stage for run in report.runs}
    assert all(run.uncompared for run in report.runs)
    for form in FORMS:
        text = str(report) if form == "text" else getattr(report, f"to_{form}")()
        assert "nothing was compared" in " ".join(text.split()), form


def test_one_compared_element_is_a_comparison() -> None:
    sound = Net(lambda x: torch.where(x == x.flatten()[:1].max(), x, float("nan")))
    report = verify(sound, sound, data=np.ones((1, 1), np.float32))
    assert report.passed
    assert report.outputs["output"].compared == 1
    wrong = Net(lambda x: sound(x) * 1.001)
    assert not verify(sound, wrong, data=np.ones((1, 1), np.float32), locate=False).passed


def test_an_output_that_no_run_compared_is_told_beside_one_that_was() -> None:
    both = Net(lambda x: (2 * x, x * float("nan")))
    report = verify(both, both, inputs=INPUTS, seeds=1)
    assert report.passed
    assert any("output_1: no run gave a finite element" in note for note in report.findings)
    assert report.outputs["output_1"].verdict == "nothing"
    assert report.outputs["output_0"].verdict == "ok"


def test_the_commands_exit_code_is_not_0(tmp_path) -> None:
    source = saved(classifier(), tmp_path / "model.onnx")
    np.savez(tmp_path / "data.npz", x=np.full((2, 4), np.nan, np.float32))
    with pytest.raises(SystemExit) as ended:
        Invocation({}, quiet=True).run(
            str(source), str(source), [], data=str(tmp_path / "data.npz"), ignore=["label"]
        )
    assert ended.value.code == 1


def _input_shape_back(x):
    """What `tf.nn.conv2d` does without rows: it returns its input's shape."""
    return x if len(x) == 0 else x[:, :2]


@pytest.mark.parametrize("a_is_wrong", [True, False])
def test_no_rows_nobody_declared_a_wrong_shape_is_a_note(a_is_wrong: bool) -> None:
    pair = [Net(_input_shape_back), Net(lambda x: x[:, :2])]
    a, b = pair if a_is_wrong else pair[::-1]
    free = verify(a, b, inputs=INPUTS, seeds=1)
    assert free.passed, free.failures
    assert free.runs[-1].uncompared is Uncompared.SHAPE
    assert any("which nobody declared, the shapes differ" in note for note in free.findings)
    declared = verify(a, b, inputs="x:float32[0<=n,4]", seeds=1, locate=False)
    assert [run.label for run in declared.runs if run.stage.failed] == ["no rows"]


def test_no_rows_other_numbers_count_wherever_there_are_some() -> None:
    a, b = Net(lambda x: x.sum(0)), Net(lambda x: x.sum(0) + float(len(x) == 0))
    report = verify(a, b, inputs=INPUTS, seeds=1, locate=False)
    assert [run.label for run in report.runs if run.stage.failed] == ["no rows"]


def test_a_keras_convolution_and_its_twin() -> None:
    keras = pytest.importorskip("keras")
    conv = torch.nn.Conv2d(3, 4, 3)
    layer = keras.layers.Conv2D(4, 3)
    model = keras.Sequential([keras.Input((8, 8, 3)), layer])
    layer.set_weights(
        [conv.weight.detach().permute(2, 3, 1, 0).numpy(), conv.bias.detach().numpy()]
    )
    twin = Net(lambda x: conv(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
    report = verify(model, twin, seeds=1, weights=False)
    assert report.passed, report.failures


def test_junit_says_which_side_refuses() -> None:
    def refuse(x):
        raise ValueError("not this one")

    only_b = Net(lambda x: x if len(x) else refuse(x))
    report = verify(Net(lambda x: x), only_b, inputs=INPUTS, seeds=1)
    assert report.runs[-1].uncompared is Uncompared.B_REFUSES
    text = report.to_junit()
    assert "b refuses the inputs" in text
    assert "both refuse" not in text


def _halves_three_times(x):
    if x.shape[1] % 8:
        raise ValueError("the way up does not meet the way down")
    return x * 2


def test_sizes_that_both_refuse_are_tried_as_multiples_of_32() -> None:
    report = verify(Net(_halves_three_times), Net(_halves_three_times), inputs="x:float32[n,h]")
    assert report.passed
    assert {run.sizes["h"] for run in report.runs} == {32, 64}
    assert any("multiples of 32" in finding for finding in report.findings)
    wrong = Net(lambda x: _halves_three_times(x) * 1.01)
    assert not verify(Net(_halves_three_times), wrong, inputs="x:float32[n,h]").passed


@pytest.mark.parametrize(
    "how", [{"inputs": "x:float32[n,h<=20]"}, {"inputs": "x:float32[n,h]", "sizes": {"h": [3, 5]}}]
)
def test_sizes_outside_of_what_was_asked_for_are_not_tried(how: dict) -> None:
    report = verify(Net(_halves_three_times), Net(_halves_three_times), **how)
    allowed = set(range(21)) if "sizes" not in how else {3, 5}
    assert {run.sizes["h"] for run in report.runs} <= allowed
    assert not any("multiples of 32" in finding for finding in report.findings)
