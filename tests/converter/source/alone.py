"""Runs a written module in an interpreter that sees neither this checkout nor our packages."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

Arrays = list[np.ndarray]

_SCRIPT = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from model import load
assert not {"converter", "verify", "zoo", "safetensors"} & set(sys.modules)
model = load()
if sys.argv[2]:
    import keras
    model.save(sys.argv[2])
    model = keras.models.load_model(sys.argv[2])
for place in sys.argv[3:]:
    given = np.load(place + "/in.npz")
    arrays = [given[name] for name in given.files]
    if "keras" in sys.modules:
        from keras import ops
        results, numbers = model(*map(ops.convert_to_tensor, arrays)), ops.convert_to_numpy
    else:
        import torch
        with torch.no_grad():
            results = model(*map(torch.from_numpy, arrays))
        numbers = torch.Tensor.numpy
    results = results if isinstance(results, (tuple, list)) else (results,)
    np.savez(place + "/results.npz", *map(numbers, results))
"""


def run_alone(
    folder: Path,
    cases: Sequence[Mapping[str, Any]],
    backend: str = "",
    again: str = "",
    scratch: Path | None = None,
) -> list[Arrays]:
    """Return what the module in a folder computes of each case.

    Args:
        folder: where ``model.py`` lies.
        cases: arrays by input name, in the order of the arguments.
        backend: of Keras.
        again: save the model as this ``.keras`` file and open it again before.
        scratch: folder for what goes in and comes out; beside ``folder`` if left out.
    """
    scratch = scratch or folder.parent
    (scratch / "alone.py").write_text(_SCRIPT)
    places = [scratch / f"case{i}" for i in range(len(cases))]
    for place, inputs in zip(places, cases, strict=True):
        place.mkdir(exist_ok=True)
        np.savez(place / "in.npz", **inputs)
    done = subprocess.run(
        [sys.executable, "-I", scratch / "alone.py", folder, again, *places],
        capture_output=True, text=True, check=False, cwd=scratch,
        env={**os.environ, "KERAS_BACKEND": backend},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = []
    for place in places:
        with np.load(place / "results.npz") as given:
            results.append([given[key] for key in given.files])
    return results


def check_text(text: str) -> None:
    """Hold written text against `ruff`: free of lint, and formatted."""
    for task in (
        ["check", "--select", "E,F,I,B,UP", "--line-length", "100"],
        ["format", "--check", "--line-length", "100"],
    ):
        lint = subprocess.run(
            [sys.executable, "-m", "ruff", *task, "--isolated", "-"],
            input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert lint.returncode == 0, lint.stdout
