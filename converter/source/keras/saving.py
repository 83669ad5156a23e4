"""The written module and its weights as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from converter.graph.structure.assembled import AnyWeight
from converter.rebuild.graph_values import constant_tensor
from converter.source.running import imported
from converter.source.written import Written

MODULE, WEIGHTS = "model.py", "model.weights.h5"


def save(written: Written, folder: Path) -> None:
    """Write ``model.py`` and ``model.weights.h5`` into a folder that exists."""
    folder.joinpath(MODULE).write_text(written.text, encoding="utf-8")
    model = getattr(imported(folder / MODULE), written.root)()
    model.build_from_config({})
    fill(model, written)
    model.save_weights(folder / WEIGHTS)


def fill(model: Any, written: Written) -> None:
    """Give a model that is built what the source holds."""
    for name, weight in written.weights.items():
        variable_at(model, written.places[name]).assign(_turned(weight))
    for name, value in written.constants.items():
        tensor = constant_tensor(value)
        assert tensor is not None
        variable_at(model, written.places[name]).assign(tensor.numpy())


def variable_at(model: Any, place: str) -> Any:
    """Return the variable at a place such as ``self.layers_[0].query.kernel``."""
    found = model
    for part in place.replace("[", ".[").split(".")[1:]:
        if part.startswith("["):
            key = part[1:-1]
            found = found[key.strip("\"'")] if key[0] in "\"'" else found[int(key)]
        else:
            found = getattr(found, part)
    return found


def _turned(weight: AnyWeight) -> np.ndarray:
    return np.array(weight.array(), order="C")
