"""Fixtures of the verifier's tests."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.verify.models import WORKER_FAULTS, classifier, saved


@pytest.fixture
def generator() -> np.random.Generator:
    """Return fresh random numbers; the seed is printed where a test fails."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    return np.random.default_rng(seed)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return the path of the sound classifier."""
    return saved(classifier(), tmp_path / "source.onnx")


@pytest.fixture
def faulty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict]:
    """Return what verifies a network of `WORKER_FAULTS` against the sound one, in workers."""
    import torch

    from verify import verify

    (tmp_path / "faulty_nets.py").write_text(WORKER_FAULTS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    weights = tmp_path / "weights.pt"
    torch.save(torch.nn.ModuleDict({"linear": torch.nn.Linear(4, 3)}).state_dict(), weights)

    def run(name: str, **options: object) -> object:
        options = {"inputs": "x:float32[batch,4]", **options}
        return verify(weights, weights, factory=f"faulty_nets:{name}", **options)

    return run
