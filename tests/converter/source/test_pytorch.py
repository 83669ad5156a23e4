"""Written PyTorch modules: they stand alone, compute the same, and read as a person would write."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import converter
import zoo
from converter.errors import UsageError, VerificationFailed
from converter.source import expressions
from converter.source import written as places
from converter.source.pytorch.operators import spells
from tests.converter.source.alone import check_text, run_alone
from verify.inputs import random_inputs

SEED = int(np.random.SeedSequence().generate_state(1)[0])

MODELS = [
    ("digits_cnn", "torch"), ("unet", "torch"), ("mobilenet", "torch"),
    ("transformer_encoder", "torch"), ("gru_tagger", "torch"), ("bert", "torch"),
    ("digits_cnn", "tf"), ("unet", "tf"), ("transformer_encoder", "tf"),
    ("lstm_text_classifier", "tf"),
]  # fmt: skip


def converted(name: str, framework: str, folder: Path) -> tuple[Any, Any]:
    """Return the zoo's model and its conversion with the source beside it."""
    side = zoo.get(name).side(framework)
    model = zoo.load(name, framework)
    result = converter.convert(
        model, "torch", inputs=list(side.inputs), output=folder, verify=False, source=True
    )
    return model, result


def layers(text: str) -> Counter[str]:
    return Counter(re.findall(r"nn\.(?!Module|functional|Parameter)([A-Z]\w+)\(", text))


@pytest.mark.parametrize(("name", "framework"), MODELS)
def test_a_model_of_the_zoo(name: str, framework: str, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    _, result = converted(name, framework, tmp_path / "out")
    text = (tmp_path / "out" / "source" / "model.py").read_text()
    assert text == result.source
    words = dict.fromkeys(result.signature.dynamic_dims(), 4)
    inputs = random_inputs(result.signature, words, SEED)
    (mine,) = run_alone(tmp_path / "out/source", [inputs])
    with torch.no_grad():
        wanted = result.model(*(torch.as_tensor(value) for value in inputs.values()))
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    for array, want in zip(mine, wanted, strict=True):
        np.testing.assert_allclose(array, want.numpy(), rtol=1e-4, atol=2e-5)
    check_text(text)


TWINS = {
    "digits_cnn": Counter(Conv2d=2, BatchNorm2d=2, Dropout=1, Linear=1),
    "unet": Counter(Conv2d=11, BatchNorm2d=10, ConvTranspose2d=2),
}
"""The layers of the zoo's hand-written PyTorch twins, but pooling and activations."""


@pytest.mark.parametrize("name", TWINS)
def test_keras_models_arrive_as_the_layers_of_their_twins(name: str, tmp_path: Path) -> None:
    _, result = converted(name, "tf", tmp_path / "out")
    assert layers(result.source) == TWINS[name]


def test_repeated_blocks_are_one_class_and_a_loop(tmp_path: Path) -> None:
    _, result = converted("transformer_encoder", "torch", tmp_path / "out")
    assert re.findall(r"^class (\w+)", result.source, re.M) == [
        "Attention", "EncoderLayer", "TransformerEncoder",
    ]  # fmt: skip
    assert "nn.ModuleList(EncoderLayer() for _ in range(2))" in result.source
    assert "for layer in self.layers:" in result.source


def test_weights_keep_their_names_and_bits(tmp_path: Path) -> None:
    from converter.source.check import loaded

    model, _ = converted("unet", "torch", tmp_path / "out")
    mine, theirs = loaded(tmp_path / "out" / "source").state_dict(), model.state_dict()
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_the_same_model_gives_the_same_text(tmp_path: Path) -> None:
    texts = [converted("mobilenet", "torch", tmp_path / str(i))[1].source for i in range(2)]
    assert texts[0] == texts[1]


class Less(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(-1, keepdim=True) * 2


def swapped(view: Any) -> Any:
    return expressions.infix("-", expressions.SUM, view.arg(1), view.arg(0))


def test_swapped_operands_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(spells.table, "Sub", (7, swapped))
    with pytest.raises(VerificationFailed, match="written source"):
        converter.convert(Less(), "torch", inputs=["x[n,3]"], verify=False, source=True)


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return x


def test_a_weight_in_its_neighbour_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    collect = places._collect

    def wrong(drafted: Any, path: str, owner: str, written: Any) -> None:
        collect(drafted, path, owner, written)
        if path:
            return
        names = ["layers.0.bias", "layers.1.bias"]
        first, second = (written.weights[name] for name in names)
        written.weights |= dict(zip(names, (second, first), strict=True))

    monkeypatch.setattr(places, "_collect", wrong)
    with pytest.raises(VerificationFailed, match="written source"):
        converter.convert(Layers(), "torch", inputs=["x[n,3]"], verify=False, source=True)


class Residual(nn.Module):
    """The sum is needed twice; what is computed from it must not take its name."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x + self.first(x)
        return y + self.second(torch.relu(y)) * y * y


class Halves(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        half = x.shape[1] // 2
        return x[:, :half], x[:, half:].reshape(x.shape[0], -1, 1)


@pytest.mark.parametrize(("model", "spec"), [(Residual(), "x[n,4]"), (Halves(), "x[n,m]")])
def test_small_modules(model: nn.Module, spec: str) -> None:
    result = converter.convert(model, "torch", inputs=[spec], source=True)
    assert result.report.passed
    assert "val_" not in result.source


def test_other_targets_are_refused_before_any_work() -> None:
    with pytest.raises(UsageError, match="torch and tf"):
        converter.convert(Less(), "keras", inputs=["x[n,3]"], source=True)
