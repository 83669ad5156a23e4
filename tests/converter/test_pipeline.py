"""The road with live models: what comes out, and that nothing half-made is left behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import converter
from converter import errors
from converter.engines import native
from converter.signature import Signature
from verify.report.result import Latency, Stage, Timing


class Net(nn.Module):
    """A layer of each kind that layout and weights matter to."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, 5)
        self.spare = nn.Linear(2, 2)  # a parameter that forward does not read

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        features = torch.relu(self.norm(self.conv(image)))
        return {"logits": self.head(features.mean((2, 3))), "features": features}


@pytest.fixture
def net() -> nn.Module:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    torch.manual_seed(seed)
    model = Net().eval()
    model.norm.running_mean.normal_()
    model.norm.running_var.uniform_(0.5, 2)
    return model


SPECS = ("image:float32[batch,3,8,8]",)


def test_a_live_model_becomes_a_live_model_with_the_source_s_names(net: nn.Module) -> None:
    example = torch.randn(2, 3, 8, 8)
    result = converter.convert(
        net, to="tf", inputs=(example,), dynamic={"image": {0: "batch"}}, output=None
    )
    assert result.path is None
    assert result.report.passed
    assert [str(spec) for spec in result.signature.inputs] == ["image:float32[batch,3,8,8]"]
    assert [spec.name for spec in result.signature.outputs] == ["logits", "features"]
    names = {k for k, v in result.model.named_variables().items() if v.trainable}
    assert names == {name for name, _ in net.named_parameters()}
    logits, features = result.model(torch.randn(5, 3, 8, 8).numpy())
    assert logits.shape == (5, 5)
    assert features.shape == (5, 4, 8, 8)


@pytest.mark.parametrize("to", ["tf", "torch", "onnx"])
def test_examples_by_name_and_texts_mean_the_same(net: nn.Module, to: str) -> None:
    by_text = converter.convert(net, to, inputs=SPECS, verify=False)
    by_example = converter.convert(
        net,
        to,
        inputs={"image": torch.zeros(2, 3, 8, 8)},
        dynamic={"image": ["batch", None, None, None]},
        verify=False,
    )
    assert by_text.signature == by_example.signature


def test_layout_is_changed_only_where_asked_and_declared(net: nn.Module) -> None:
    result = converter.convert(net, "tf", inputs=SPECS, layout="nhwc")
    assert result.report.passed
    (image,) = result.signature.inputs
    assert (image.shape, image.layout, image.permutation) == (
        ("batch", 8, 8, 3),
        "NHWC",
        (0, 2, 3, 1),
    )
    x = torch.randn(2, 3, 8, 8)
    logits, features = result.model(x.permute(0, 2, 3, 1).numpy())
    expected = net(x)
    np.testing.assert_allclose(logits, expected["logits"].detach(), atol=1e-5)
    want = expected["features"].detach().permute(0, 2, 3, 1)
    np.testing.assert_allclose(features, want, atol=1e-5)


def damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted fault: one weight of the target is moved."""
    build = native.build

    def build_badly(graph: Any, options: Any) -> Any:
        module = build(graph, options)
        variable = module.named_variables()["head.weight"]
        variable.assign(variable + np.eye(*variable.shape, dtype=np.float32) * 0.01)
        return module

    monkeypatch.setattr(native, "build", build_badly)


def test_a_target_that_does_not_agree_is_not_handed_over(
    net: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged(monkeypatch)
    with pytest.raises(errors.VerificationFailed) as failure:
        converter.convert(net, "tf", inputs=SPECS, output=tmp_path / "out", engine="native")
    assert failure.value.exit_code == 1
    assert not failure.value.report.outputs["logits"].passed
    assert failure.value.report.outputs["features"].passed
    assert list(tmp_path.iterdir()) == []


def test_a_failed_target_is_kept_when_asked(
    net: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged(monkeypatch)
    result = converter.convert(
        net, "tf", inputs=SPECS, output=tmp_path / "out", engine="native", keep_failed=True
    )
    assert not result.report.passed
    assert (tmp_path / "out" / "saved_model.pb").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_existing_output_is_refused_before_any_work(net: nn.Module, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("precious")
    with pytest.raises(errors.OutputError, match="exists already"):
        converter.convert(net, "tf", inputs=SPECS, output=tmp_path / "out")
    assert (tmp_path / "out").read_text() == "precious"


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"to": "jax"}, errors.UsageError, "unknown to 'jax'"),
        ({"to": "tf", "engine": "magic"}, errors.UsageError, "unknown engine"),
        ({"to": "torch", "engine": "onnx2tf"}, errors.UsageError, "onnx2tf cannot write torch"),
        (
            {"to": "tf", "engine": "onnx2tf", "layout": "nchw"},
            errors.UsageError,
            "chooses the layout itself",
        ),
        ({"to": "tf", "engine": "onnx2tf", "inputs": SPECS}, errors.UsageError, "needs output="),
        ({"to": "tf", "layout": "cnhw"}, errors.UsageError, "unknown layout"),
        ({"to": "tf"}, errors.UsageError, "does not say what its inputs look like"),
        ({"to": "tf", "inputs": ("x:float32[1,3,8,8]",)}, errors.InputSpecError, "no input called"),
        ({"to": "tf", "inputs": ("image:float32",)}, errors.InputSpecError, "has no shape"),
        ({"to": "tf", "inputs": ("image:floot[1]",)}, errors.InputSpecError, "unknown dtype"),
        ({"to": "tf", "inputs": (3,)}, errors.UsageError, "is a int, not a tensor"),
        (
            {"to": "tf", "inputs": SPECS, "dynamic": {"picture": {0: "n"}}},
            errors.InputSpecError,
            "'picture'",
        ),
        (
            {"to": "tf", "inputs": ("image:float32[batch,4,8,8]",)},
            errors.TraceError,
            "expected input.* to have 3 channels.*module conv",
        ),
    ],
)
def test_arguments_that_make_no_sense(
    net: nn.Module, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        converter.convert(net, **options)


class Unsupported(nn.Module):
    """Two operators that ONNX has no translation for, in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 4), Spectral())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvalsh(self.inner(x) @ self.inner(x).mT)


class Spectral(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.special.bessel_j0(x)


def test_all_unsupported_operators_are_listed_at_once() -> None:
    with pytest.raises(errors.UnsupportedOpsError) as failure:
        converter.convert(Unsupported().eval(), "tf", inputs=("x:float32[4,4]",))
    text = str(failure.value)
    assert failure.value.exit_code == 3
    assert {item.op.split(".")[-2] for item in failure.value.operators} >= {"special_bessel_j0"}
    assert "bessel_j0" in text
    assert "eigvalsh" in text or "linalg_eigh" in text
    assert "inner.1" in text
    assert "test_pipeline.py:" in text


def test_the_verifier_is_given_in_through_one_seam(net: nn.Module) -> None:
    asked: list[tuple[Any, Signature]] = []

    class Verdict:
        passed = True

    def verifier(source: Any, target: Any, *, signature: Signature, **options: Any) -> Verdict:
        asked.append((source, signature))
        return Verdict()

    result = converter.convert(net, "torch", inputs=SPECS, verifier=verifier)
    assert isinstance(result.report, Verdict)
    assert asked[0][0] is net
    assert asked[0][1].dynamic_dims() == ("batch",)


def test_for_training_follows_train_and_eval(net: nn.Module) -> None:
    result = converter.convert(net, "torch", inputs=SPECS, purpose="training", verify=False)
    assert any("train()" in note for note in result.notes)
    x = torch.randn(4, 3, 8, 8)
    before = result.model.get_buffer("norm.running_mean").clone()
    net.train(), result.model.train()
    logits, features = result.model(x)
    expected = net(x)
    torch.testing.assert_close(features, expected["features"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(logits, expected["logits"], rtol=1e-4, atol=1e-5)
    after = result.model.get_buffer("norm.running_mean")
    assert not torch.equal(after, before)
    torch.testing.assert_close(after, net.norm.running_mean, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        result.model.get_buffer("norm.running_var"), net.norm.running_var, rtol=1e-4, atol=1e-5
    )


def test_for_training_batch_normalisation_of_keras_follows_the_mode() -> None:
    import keras

    layers = [keras.layers.Input((4,)), keras.layers.BatchNormalization(), keras.layers.Dense(2)]
    result = converter.convert(keras.Sequential(layers), "torch", purpose="training", verify=False)
    assert any("follow train()" in note for note in result.notes)
    norm = next(m for m in result.model.modules() if isinstance(m, nn.BatchNorm1d))
    assert norm.momentum == pytest.approx(0.01)  # Keras keeps 0.99
    x = torch.randn(8, 4) + 3
    result.model.eval()(x)
    assert not norm.running_mean.any()
    result.model.train()(x)
    torch.testing.assert_close(norm.running_mean, 0.01 * x.mean(0))


def test_for_training_what_cannot_be_written_is_said() -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.count += 1
            return x + self.count

    result = converter.convert(
        Counter(), "torch", inputs=["x:float32[n,2]"], purpose="training", verify=False
    )
    assert result.source is None
    assert any("keeps state" in note for note in result.notes)
    assert any("Dropout is off" in note for note in result.notes)


@pytest.mark.parametrize("to", ["torch", "tf"])
def test_a_type_that_the_target_lacks_says_what_carries_it(to: str) -> None:
    import onnx.parser

    proto = onnx.parser.parse_model(
        '<ir_version: 11, opset_import: ["" : 23]>'
        "small (float[N] x) => (int4[N] y) { y = Cast <to=22> (x) }"
    )
    result = converter.convert(proto, to, verify=False)
    assert result.signature.outputs[0].dtype == "int4"
    assert result.signature.outputs[0].carried_as == "int8"
    assert result.signature.inputs[0].carried_as is None


def test_print_says_what_came_of_it(net: nn.Module, tmp_path: Path) -> None:
    result = converter.convert(net, "onnx", inputs=SPECS, output=tmp_path / "net.onnx")
    lines = str(result).splitlines()
    told = {line[:10].strip(): line[10:] for line in lines if line[:10].strip()}
    assert told["from"] == "Net (torch, module)"
    assert told["to"] == f"ONNX file: {tmp_path / 'net.onnx'}"
    assert told["input"] == SPECS[0]
    assert told["verified"].startswith("yes: ")
    assert "largest difference" in str(result)
    assert told["weights"].endswith(f"of {len(result.report.weights.weights)}")
    result.report.latency = Latency(Timing(1.0, 1.0, 1), Timing(2.0, 2.0, 1), 2.0, None)
    result.notes.append("look here")
    assert "latency   2.00 times the source's" in str(result)
    assert "note      look here" in repr(result)
    item = next(iter(result.report.runs[0].outputs))
    wrong = replace(result.report.runs[0].outputs[item], passed=False, reason="it is off")
    run = replace(result.report.runs[0], stage=Stage.MISMATCH, outputs={item: wrong})
    result.report.runs[0] = run
    assert "verified  NO, it FAILED" in str(result)
    assert "it is off" in str(result)


def test_print_of_what_was_neither_written_nor_verified(net: nn.Module) -> None:
    result = converter.convert(net, "torch", inputs=SPECS, verify=False)
    assert "to        PyTorch artifact: in memory, not written" in str(result)
    assert "verified  no: nothing was compared" in str(result)
