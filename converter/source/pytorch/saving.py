"""The written module and its weights as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx_ir as ir
import torch

from converter.graph.structure.assembled import AnyWeight, Assembled
from converter.rebuild.graph_values import constant_tensor
from converter.rebuild.pytorch.module import live_tensor
from converter.source.written import Written

MODULE, WEIGHTS = "model.py", "model.safetensors"


def save(written: Written, folder: Path) -> None:
    """Write ``model.py`` and ``model.safetensors`` into a folder that exists."""
    from safetensors.torch import save_file

    folder.joinpath(MODULE).write_text(written.text, encoding="utf-8")
    save_file(tensors(written), str(folder / WEIGHTS))


def tensors(written: Written) -> dict[str, torch.Tensor]:
    """Return what the module loads, by name."""
    found = {name: _turned(weight) for name, weight in written.weights.items()}
    found |= {name: torch.from_numpy(array) for name, array in written.fills.items()}
    for name, value in written.constants.items():
        tensor = constant_tensor(value)
        assert tensor is not None
        found[name] = live_tensor(tensor)
    return found


def _turned(weight: AnyWeight) -> torch.Tensor:
    if isinstance(weight, Assembled):
        return live_tensor(ir.Tensor(np.ascontiguousarray(weight.array()), dtype=weight.dtype))
    tensor = live_tensor(weight.initializer.const_value)
    order = weight.permutation
    if order != tuple(range(len(order))):
        tensor = tensor.permute(order)
    return tensor.contiguous().clone()
