"""What decides a verdict: the noise where it can be had, else a fall that nobody overlooks."""

from __future__ import annotations

import pytest

from converter.errors import DefectError
from verify import verify
from verify.report.result import Criterion

torch = pytest.importorskip("torch")

FAULT = 5e-6
"""Some tens of times the noise of a linear layer, and within the fixed table."""


class Plain(torch.nn.Module):
    """Calls its input by its own name."""

    def __init__(self, fault: float = 0.0) -> None:
        super().__init__()
        self.linear, self.fault = torch.nn.Linear(4, 3), fault

    def forward(self, input):
        return self.linear(input) * (1 + self.fault)


class Branching(Plain):
    """Cannot be traced."""

    def forward(self, input):
        return super().forward(input) if float(input.sum()) > -1e9 else input


def pair(kind: type[Plain]) -> tuple[Plain, Plain]:
    a, b = kind(), kind(FAULT)
    b.load_state_dict(a.state_dict())
    return a, b


def test_inputs_of_other_names_are_matched_in_order_and_the_noise_decides() -> None:
    a, b = pair(Plain)
    report = verify(a, b, inputs="x:float32[n,4]", seeds=1, locate=False)
    assert report.limits.criterion is Criterion.NOISE
    assert not report.passed
    assert "a has other names for its inputs: in order, 'x' as 'input'" in report.findings
    assert verify(a, a, inputs="x:float32[n,4]", seeds=1).passed


def test_a_keras_model_lends_its_inputs_to_a_module_without_any() -> None:
    keras = pytest.importorskip("keras")
    layer = keras.layers.Dense(3)
    model = keras.Sequential([keras.Input((4,)), layer])
    linear = torch.nn.Linear(4, 3)
    layer.set_weights([linear.weight.detach().numpy().T, linear.bias.detach().numpy()])
    report = verify(torch.nn.Sequential(linear), model, seeds=1)
    assert report.passed, report.failures
    assert report.limits.criterion is Criterion.NOISE
    with torch.no_grad():
        linear.weight *= 1 + FAULT
    assert not verify(torch.nn.Sequential(linear), model, seeds=1, locate=False).passed


def test_a_fall_to_the_fixed_table_is_told_in_every_form_with_what_to_type() -> None:
    a, b = pair(Branching)
    report = verify(a, b, inputs="x:float32[n,4]", seeds=1)
    assert report.passed  # the fault is within the table: that is why it must be told
    assert report.limits.criterion is Criterion.FALLBACK
    assert "could not be traced" in report.limits.reason
    assert "--tolerance fixed" in report.limits.hint
    for form in ("json", "junit", "html", "markdown", "sarif", "text"):
        text = str(report) if form == "text" else getattr(report, f"to_{form}")()
        assert "could not be traced to ONNX, so its noise" in " ".join(text.split()), form
        if form not in ("json",):
            assert "FIXED LIMITS" in text, form
    assert "PASSED by fixed limits" in str(report)
    asked = verify(a, b, inputs="x:float32[n,4]", seeds=1, tolerance="fixed")
    assert (asked.limits.criterion, asked.limits.warning) == (Criterion.FIXED, "")
    given = verify(a, b, inputs="x:float32[n,4]", seeds=1, rtol=1e-4)
    assert given.limits.criterion is Criterion.NUMBERS


def test_a_defect_of_the_measuring_does_not_change_what_decides(monkeypatch) -> None:
    import verify.noise

    def broken(*_: object) -> None:
        raise KeyError("a name that we forgot")

    monkeypatch.setattr(verify.noise, "_first", broken)
    a, _ = pair(Plain)
    with pytest.raises(DefectError, match="KeyError") as caught:
        verify_models(a, a)
    assert isinstance(caught.value.__cause__, KeyError)


def verify_models(a, b):
    from verify import verify as run

    return run(a, b, inputs="x:float32[n,4]", seeds=1)


def test_a_live_function_that_says_its_own_inputs_needs_none() -> None:
    tf = pytest.importorskip("tensorflow")

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def double(x):
        return {"y": 2.0 * x}

    report = verify(double, double, seeds=1)
    assert report.passed, report.failures
    assert report.limits.criterion is Criterion.NOISE
