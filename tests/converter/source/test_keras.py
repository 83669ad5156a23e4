"""Written Keras modules: they stand alone, compute the same, and read as a person would write."""

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
from converter.source.check import loaded
from converter.source.keras import saving
from converter.source.keras.operators import spells
from tests.converter.source.alone import check_text, run_alone
from verify.inputs import random_inputs

SEED = int(np.random.SeedSequence().generate_state(1)[0])

MODELS = ["digits_cnn", "transformer_encoder", "learned_exponent", "bert"]


def converted(name: str, folder: Path) -> tuple[Any, Any]:
    """Return the zoo's PyTorch model and its conversion with the Keras source beside it."""
    side = zoo.get(name).side("torch")
    model = zoo.load(name, "torch")
    result = converter.convert(
        model, "tf", inputs=list(side.inputs), output=folder, verify=False, source=True
    )
    return model, result


def alone(folder: Path, inputs: dict[str, Any], backend: str, again: str = "") -> list[np.ndarray]:
    (results,) = run_alone(folder / "out/source", [inputs], backend, again)
    return results


def expected(model: nn.Module, inputs: dict[str, Any]) -> list[np.ndarray]:
    with torch.no_grad():
        wanted = model(*(torch.as_tensor(value) for value in inputs.values()))
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    return [value.numpy() for value in wanted]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_the_zoo(name: str, tmp_path: Path) -> None:
    print(f"seed {SEED}")
    model, result = converted(name, tmp_path / "out")
    text = (tmp_path / "out" / "source" / "model.py").read_text()
    assert text == result.source
    words = dict.fromkeys(result.signature.dynamic_dims(), 4)
    inputs = random_inputs(result.signature, words, SEED)
    backends = ["tensorflow"] if "import tensorflow" in text else ["tensorflow", "torch"]
    assert "torch" in backends or name == "bert"  # a mask is indexed: Keras has no such operation
    for backend in backends:
        for mine, theirs in zip(
            alone(tmp_path, inputs, backend), expected(model, inputs), strict=True
        ):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=2e-5)
    check_text(text)


@pytest.mark.parametrize("name", ["digits_cnn", "transformer_encoder"])
def test_on_jax(name: str, tmp_path: Path) -> None:
    pytest.importorskip("jax")
    model, result = converted(name, tmp_path / "out")
    words = dict.fromkeys(result.signature.dynamic_dims(), 3)
    inputs = random_inputs(result.signature, words, SEED)
    for mine, theirs in zip(alone(tmp_path, inputs, "jax"), expected(model, inputs), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", ["digits_cnn", "bert"])
def test_a_keras_file_of_it_opens_again(name: str, tmp_path: Path) -> None:
    model, result = converted(name, tmp_path / "out")
    words = dict.fromkeys(result.signature.dynamic_dims(), 3)
    inputs = random_inputs(result.signature, words, SEED)
    mine = alone(tmp_path, inputs, "tensorflow", str(tmp_path / "again.keras"))
    np.testing.assert_allclose(mine[0], expected(model, inputs)[0], rtol=1e-4, atol=2e-5)


TWINS = {
    "digits_cnn": Counter(Conv2D=2, BatchNormalization=2, Dropout=1, Dense=1),
    "unet": Counter(Conv2D=11, BatchNormalization=10, Conv2DTranspose=2),
}
"""The layers of the zoo's hand-written Keras twins, but pooling and flattening."""


@pytest.mark.parametrize("name", TWINS)
def test_pytorch_models_arrive_as_the_layers_of_their_twins(name: str, tmp_path: Path) -> None:
    converted(name, tmp_path / "out")
    model = loaded(tmp_path / "out" / "source", "keras")
    found = Counter(
        type(layer).__name__
        for layer in model._flatten_layers(include_self=False)
        if type(layer).__module__.startswith("keras.")
    )
    assert found == TWINS[name]


class Windows(nn.Module):
    """Every kind of window whose padding Keras says otherwise than PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.strided = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.even = nn.Conv2d(8, 8, 4, padding=2)
        self.wide = nn.Conv2d(8, 8, 3, dilation=2, padding=2)
        self.deep = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.grouped = nn.Conv2d(8, 4, 3, padding=1, groups=2)
        self.up = nn.ConvTranspose2d(4, 3, 2, stride=2)
        self.same = nn.ConvTranspose2d(3, 3, 4, stride=2, padding=1)
        self.cut = nn.ConvTranspose2d(3, 2, 3, stride=1, padding=1)
        self.norm = nn.GroupNorm(2, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.grouped(self.deep(self.wide(torch.relu(self.even(self.strided(x))))))
        x = nn.functional.max_pool2d(x, 3, 2, 1) + nn.functional.avg_pool2d(x, 3, 2, 1)
        return self.norm(self.cut(self.same(self.up(x))))


class Sizes(nn.Module):
    """Arithmetic on open sizes, masks, and numbers alone in ``where``."""

    def forward(self, x: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        half = x.shape[1] // 2
        y = torch.cat([x[:, half:], x[:, :half]], 1) * (x.shape[1] - 1)
        mask = (ids > 2) == (ids < 5)
        places = torch.arange(x.shape[1])[None] + ids
        return torch.where(mask, 0.0, -1e3) + y + places + ids.cumsum(1).float()


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.wte, self.norm = nn.Embedding(7, 4), nn.LayerNorm(4)
        self.lm_head = nn.Linear(4, 7, bias=False)
        self.lm_head.weight = self.wte.weight
        self.register_buffer("scale", torch.rand(4, dtype=torch.float64) + 0.5)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.lm_head(self.norm(self.wte(ids)) * self.scale.float())


class Named(nn.Module):
    """Names that TensorFlow takes for no scope, a product of vectors, and zeros of an open size."""

    def __init__(self) -> None:
        super().__init__()
        self._first, self.größe = nn.Linear(4, 4), nn.Linear(4, 4)
        self._shift = nn.Parameter(torch.randn(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.größe(torch.relu(self._first(x))) + self._shift
        return (
            torch.cat([y @ self._shift[:, None], torch.zeros(x.shape[0], 2)], 1) + y @ y[0][:, None]
        )


SMALL = [
    (Named(), ["x[n,4]"], {"x": (3, 4)}),
    (Windows(), ["x[n,3,h,w]"], {"x": (2, 3, 17, 21)}),
    (Sizes(), ["x[n,t]", "ids:int64[n,t]"], {"x": (3, 5), "ids": (3, 5)}),
    (Tied(), ["ids:int64[n,t]"], {"ids": (2, 3)}),
]


@pytest.mark.parametrize(
    ("model", "specs", "shapes"), SMALL, ids=["named", "windows", "sizes", "tied"]
)
def test_small_modules(
    model: nn.Module, specs: list[str], shapes: dict[str, Any], tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    model.eval()
    result = converter.convert(
        model, "tf", inputs=specs, output=tmp_path / "out", verify=False, source=True
    )
    generator = np.random.default_rng(SEED)
    inputs = {
        name: generator.integers(0, 7, shape)
        if name == "ids"
        else generator.normal(size=shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    mine = alone(tmp_path, inputs, "tensorflow")
    np.testing.assert_allclose(mine[0], expected(model, inputs)[0], rtol=1e-4, atol=1e-5)
    assert "import tensorflow" not in result.source


class Less(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(-1, keepdim=True) * 2


def swapped(view: Any) -> Any:
    return expressions.infix("-", expressions.SUM, view.arg(1), view.arg(0))


def test_swapped_operands_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(spells.table, "Sub", (7, swapped))
    with pytest.raises(VerificationFailed, match="written source"):
        converter.convert(Less(), "tf", inputs=["x[n,3]"], verify=False, source=True)


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(3, 3) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return x


def test_a_weight_in_its_neighbour_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    found = saving.variable_at

    def neighbour(model: Any, place: str) -> Any:
        swap = {"[0]": "[1]", "[1]": "[0]"}
        return found(model, re.sub(r"\[[01]\]", lambda part: swap[part[0]], place))

    monkeypatch.setattr(saving, "variable_at", neighbour)
    with pytest.raises(VerificationFailed, match="written source"):
        converter.convert(Layers(), "tf", inputs=["x[n,3]"], verify=False, source=True)


def test_the_same_model_gives_the_same_text(tmp_path: Path) -> None:
    texts = [converted("digits_cnn", tmp_path / str(i))[1].source for i in range(2)]
    assert texts[0] == texts[1]


def test_what_is_not_written_is_refused_before_any_work() -> None:
    with pytest.raises(UsageError, match="beside the artifacts of torch and tf"):
        converter.convert(Less(), "tflite", inputs=["x[n,3]"], source=True)
