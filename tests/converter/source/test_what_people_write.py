"""Written modules of small models as people write them, in both languages, run without a graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import converter
from converter.source.check import loaded

SEED = int(np.random.SeedSequence().generate_state(1)[0])
X, WORDS = ["x[n,t,4]"], [{"n": 2, "t": 3}, {"n": 1, "t": 1}, {"n": 3, "t": 7}]


class Private(nn.Module):
    """Names that Python takes and a scope of TensorFlow does not."""

    def __init__(self) -> None:
        super().__init__()
        self._first, self.größe = nn.Linear(4, 4), nn.Linear(4, 4)
        self._scale = nn.Parameter(torch.randn(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.größe(torch.tanh(self._first(x))) * self._scale


class Vectors(nn.Module):
    """Products of vectors; spectral norm has one of two."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Parameter(torch.randn(4)), nn.Parameter(torch.randn(4))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return x @ self.right, x * (torch.tanh(self.left) @ self.right)


class Lengths(nn.Module):
    """Arithmetic with the length of a sequence."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        n = x.shape[1]
        return x / n**0.5, x * (0.3 * n + 0.7), x + (n + 1) / 2, x / (2 * n + 1)


class Filled(nn.Module):
    """Tensors of one number, of a size that the input has."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        rows, ids = torch.full((x.shape[1], 4), 0.1), torch.arange(x.shape[1])
        return torch.zeros(x.shape[1], 4).index_add(0, ids, x[0]), rows.index_add(0, ids, x[-1])


class Enlarged(nn.Module):
    """A handler with constants that share a statement."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(x[:, None], scale_factor=2.0, mode="bilinear")


MODELS = {
    "sequential": lambda: nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2)),
    "private": Private, "vectors": Vectors, "lengths": Lengths, "filled": Filled,
    "enlarged": Enlarged,
}  # fmt: skip


def results(model: Any, x: np.ndarray, target: str) -> list[np.ndarray]:
    """Return what a model computes as it stands, outside of any graph."""
    if target == "torch":
        with torch.no_grad():
            found = model(torch.from_numpy(x))
    else:
        found = model(x)
    found = found if isinstance(found, tuple | list) else [found]
    return [np.asarray(part) for part in found]


@pytest.mark.parametrize("target", ["torch", "tf"])
@pytest.mark.parametrize("name", MODELS)
def test_it_computes_the_same_at_every_size(name: str, target: str, tmp_path: Path) -> None:
    torch.manual_seed(SEED)
    model = MODELS[name]().eval()
    specs = [X[0].replace("x[", "input[")] if name == "sequential" else X
    out = tmp_path / "out"
    converter.convert(model, target, inputs=specs, output=out, verify=False, source=True)
    mine = loaded(out / "source", "torch" if target == "torch" else "keras")
    generator = np.random.default_rng(SEED)
    for words in WORDS:
        x = generator.normal(size=(words["n"], words["t"], 4)).astype(np.float32)
        wanted, given = results(model, x, "torch"), results(mine, x, target)
        for one, other in zip(wanted, given, strict=True):
            np.testing.assert_allclose(other, one, 1e-4, 1e-5, err_msg=f"seed {SEED}, {words}")
        # The same comparison must catch a wrong number.
        with pytest.raises(AssertionError):
            np.testing.assert_allclose(given[0], wanted[0] + 1e-2, 1e-4, 1e-5)
