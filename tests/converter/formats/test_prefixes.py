"""Weights whose names have a prefix more or less than the model's, and what lies beside them."""

from __future__ import annotations

import argparse
import datetime
import os
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

import converter
from converter import formats
from converter.errors import UnreadableModelError, UntrustedModelError, UsageError
from converter.formats.prefixes import fit


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))


class Lit(nn.Module):
    """As a LightningModule looks: the model is a part of it."""

    def __init__(self) -> None:
        super().__init__()
        self.model = net()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


class Settings:
    """A class of the user's own; that it is imported shows in the environment."""

    MARK = "EQUIPORT_TEST_SETTINGS"

    def __init__(self) -> None:
        self.width = 16

    def __setstate__(self, state: dict) -> None:
        os.environ[self.MARK] = "1"


HERE = f"{__name__}:"


@pytest.fixture
def weights() -> dict[str, torch.Tensor]:
    torch.manual_seed(seed := torch.seed() % 1000)
    print(f"seed {seed}")
    return net().state_dict()


def renamed(weights: dict[str, torch.Tensor], how: str) -> dict[str, torch.Tensor]:
    return {how.format(name): tensor for name, tensor in weights.items()}


PREFIXES = {
    "as they are": ("{}", "net", None),
    "data parallel": ("module.{}", "net", "'module.' is taken off"),
    "lightning": ("model.{}", "net", "'model.' is taken off"),
    "deep": ("module.model.backbone.{}", "net", "'module.model.backbone.' is taken off"),
    "compiled": ("_orig_mod.{}", "net", "'_orig_mod', of torch.compile, is taken out"),
    "compiled within": ("model._orig_mod.{}", "net", "'model.' is taken off and '_orig_mod'"),
    "without the part": ("{}", "Lit", "'model.' is put before"),
    "another part": ("module.{}", "Lit", "'module.' is taken off and the prefix 'model.' is put"),
    "the whole": ("model.{}", "Lit", None),
}


@pytest.mark.parametrize("name", PREFIXES)
def test_a_prefix_is_taken_off_or_put_on_and_said(
    name: str, weights: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    how, factory, words = PREFIXES[name]
    torch.save({"state_dict": renamed(weights, how), "epoch": 3}, path := tmp_path / "w.pt")
    source = formats.load(path, factory=HERE + factory)
    loaded = source.model.state_dict()
    for key, tensor in weights.items():
        assert torch.equal(loaded[f"model.{key}" if factory == "Lit" else key], tensor)
    if words is None:
        assert source.notes == []
    else:
        (note,) = source.notes
        assert words in note
    report = str(converter.inspect(path, factory=HERE + factory))
    assert "0.weight" in report
    assert "float32[4,3,3,3]" in report
    assert f"they fit the model of {HERE}{factory}" in report
    assert (words or "as they are") in report


def test_what_is_beside_the_model_is_said(weights: dict, tmp_path: Path) -> None:
    more = {"criterion.weight": torch.ones(2), "val_acc.correct": torch.tensor(5)}
    torch.save({"state_dict": renamed(weights, "model.{}") | more}, path := tmp_path / "w.pt")
    (note,) = formats.load(path, factory=f"{HERE}net").notes
    assert note.endswith("not of this model: criterion.weight, val_acc.correct")
    conversion = converter.convert(
        path, "onnx", inputs="input[batch,3,4,4]", factory=f"{HERE}net", verify=False
    )
    assert note in conversion.notes


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("model.3.bias"), "missing 3.bias"),
        (lambda w: w.update({"model.4.bias": torch.ones(2)}), "unexpected model.4.bias"),
        (lambda w: w.update({"model.3.bias": torch.ones(3)}), "3.bias has [3], the model [2]"),
    ],
)
def test_a_prefix_excuses_nothing(change, words: str, weights: dict, tmp_path: Path) -> None:
    content = renamed(weights, "model.{}")
    change(content)
    torch.save(content, path := tmp_path / "w.pt")
    with pytest.raises(UsageError) as misfit:
        formats.load(path, factory=f"{HERE}net")
    assert words in str(misfit.value)
    assert "they do not fit" in str(converter.inspect(path, factory=f"{HERE}net"))


def test_of_two_models_it_is_asked_which(weights: dict, tmp_path: Path) -> None:
    two = renamed(weights, "student.{}") | renamed(weights, "teacher.{}")
    torch.save(two, path := tmp_path / "w.pt")
    with pytest.raises(UsageError, match="several prefixes fit: 'student.', 'teacher.'"):
        formats.load(path, factory=f"{HERE}net")
    both = renamed(weights, "model_ema.{}") | renamed(weights, "model.{}")
    assert fit(weights, both).taken == "model."


def test_a_training_checkpoint_is_read_without_its_classes(
    weights: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(Settings.MARK, raising=False)
    model = net()
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(2, 3, 4, 4)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    content = {
        "state_dict": renamed(weights, "model.{}"), "optimizer_states": [optimizer.state_dict()],
        "hyper_parameters": argparse.Namespace(lr=1e-3, path=Path("x")), "settings": Settings(),
        "when": datetime.datetime(2026, 1, 1), "scheduler": scheduler, "loss": nn.MSELoss(),
    }  # fmt: skip
    for kind in (dict, OrderedDict):
        for zipped in (True, False):
            path = tmp_path / f"{kind.__name__}{zipped}.ckpt"
            torch.save(kind(content), path, _use_new_zipfile_serialization=zipped)
            source = formats.load(path, factory=f"{HERE}net")
            for name, tensor in weights.items():
                assert torch.equal(source.model.state_dict()[name], tensor)
    assert Settings.MARK not in os.environ
    torch.load(path, weights_only=False)
    assert os.environ[Settings.MARK] == "1"  # the mark is a real one


class Attack:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple:
        return os.system, ("true",)


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": {"0.weight": torch.ones(1)}, "extra": Attack()},
        {"model": nn.Linear(2, 2)},
        nn.Linear(2, 2),
    ],
)
def test_more_than_a_checkpoint_still_asks_for_trust(content, tmp_path: Path) -> None:
    torch.save(content, path := tmp_path / "w.pt")
    with pytest.raises(UntrustedModelError):
        formats.load(path, factory=f"{HERE}net")
    with pytest.raises(UntrustedModelError):
        converter.inspect(path)


def test_weights_under_another_key(weights: dict, tmp_path: Path) -> None:
    states = {"optimizer": {"x": torch.ones(1)}, "params_ema": weights}
    torch.save(states, path := tmp_path / "w.pt")
    assert formats.load(path, factory=f"{HERE}net").notes == []
    torch.save({"generator": weights, "critic": weights}, path)
    with pytest.raises(UnreadableModelError, match="several keys: generator, critic"):
        formats.load(path, factory=f"{HERE}net")


@pytest.mark.parametrize("given", ["plan.ckpt", "plain.ckt", "plain", "Plain.ckpt", "plain.pt"])
def test_a_path_that_is_nearly_right_gets_a_suggestion(given: str, tmp_path: Path) -> None:
    (tmp_path / "plain.ckpt").write_bytes(b"x")
    (tmp_path / "other.onnx").write_bytes(b"x")
    with pytest.raises(UnreadableModelError) as missing:
        formats.recognise(tmp_path / given)
    assert f"Did you mean {str(tmp_path / 'plain.ckpt')!r}?" in str(missing.value)


def test_a_path_that_is_far_off_gets_none(tmp_path: Path) -> None:
    (tmp_path / "plain.ckpt").write_bytes(b"x")
    with pytest.raises(UnreadableModelError, match="Check the path"):
        formats.recognise(tmp_path / "resnet.pt2")
