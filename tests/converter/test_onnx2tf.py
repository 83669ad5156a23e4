"""The second road: onnx2tf in its own interpreter, judged by the same verifier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import converter
from converter import errors
from converter.engines import native, onnx2tf
from converter.pipeline import Options

PYTHON = onnx2tf.interpreter(Options("tf"))

needs_onnx2tf = pytest.mark.skipif(
    PYTHON is None, reason="no interpreter with onnx2tf here; `make onnx2tf` builds one"
)
SPECS = ("input:float32[batch,3,16,16]",)


@pytest.fixture
def net() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)
    ).eval()


@needs_onnx2tf
def test_what_it_does_to_the_layout_is_declared_and_verified(
    net: nn.Module, tmp_path: Path
) -> None:
    result = converter.convert(net, "tf", inputs=SPECS, output=tmp_path / "out", engine="onnx2tf")
    assert result.engine == "onnx2tf"
    assert result.report.passed
    (image,), (output,) = result.signature.inputs, result.signature.outputs
    assert (image.shape, image.layout) == (("batch", 16, 16, 3), "NHWC")
    assert output.permutation == (0, 2, 3, 1)
    record = json.loads((tmp_path / "out" / "assets.extra" / "equiport.json").read_text())
    assert record["signature"]["inputs"][0]["permutation"] == [0, 2, 3, 1]
    assert any("channels last" in note for note in result.notes)


@needs_onnx2tf
def test_a_layout_that_is_not_declared_fails(
    net: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: the signature keeps silent about the permutation."""
    monkeypatch.setattr(onnx2tf, "as_declared", lambda spec, permutation: spec)
    with pytest.raises(errors.VerificationFailed):
        converter.convert(net, "tf", inputs=SPECS, output=tmp_path / "out", engine="onnx2tf")
    assert list(tmp_path.iterdir()) == []


def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def rebuild(*arguments: Any) -> None:
        raise errors.RebuildError("no handler today")

    monkeypatch.setattr(native, "rebuild", rebuild)


@needs_onnx2tf
def test_auto_takes_the_other_road_where_the_native_one_fails(
    net: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    result = converter.convert(net, "tf", inputs=SPECS, output=tmp_path / "out")
    assert result.engine == "onnx2tf"
    assert result.report.passed
    assert "no handler today" in " ".join(result.notes)


@needs_onnx2tf
def test_auto_takes_the_other_road_where_the_native_one_does_not_verify(
    net: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = native.build

    def build_badly(graph: Any, options: Any) -> Any:
        module = build(graph, options)
        bias = module.named_variables()["0.bias"]
        bias.assign(bias + 0.1)
        return module

    monkeypatch.setattr(native, "build", build_badly)
    result = converter.convert(net, "tf", inputs=SPECS, output=tmp_path / "out")
    assert (result.engine, result.report.passed) == ("onnx2tf", True)
    assert "do not agree" in " ".join(result.notes)
    assert (tmp_path / "out" / "saved_model.pb").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_auto_says_the_native_reason_where_there_is_no_other_road(
    net: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(monkeypatch)
    monkeypatch.setattr(onnx2tf, "interpreter", lambda options: None)
    with pytest.raises(errors.RebuildError, match="no handler today"):
        converter.convert(net, "tf", inputs=SPECS, output=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@needs_onnx2tf
def test_tflite_by_onnx2tf(net: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    fixed = ("input:float32[1,3,16,16]",)
    result = converter.convert(net, "tflite", inputs=fixed, output=path, engine="onnx2tf")
    assert result.report.passed
    assert path.stat().st_size > 0
    assert result.signature.inputs[0].shape == (1, 16, 16, 3)


@needs_onnx2tf
def test_its_failure_has_its_last_words(tmp_path: Path) -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.fft.fft(x).real

    with pytest.raises(errors.RebuildError, match="onnx2tf could not convert"):
        converter.convert(
            Odd(), "tf", inputs=("x:float32[4,8]",), output=tmp_path / "out", engine="onnx2tf"
        )
    assert list(tmp_path.iterdir()) == []
