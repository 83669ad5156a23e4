"""What the fuzzer asks of PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import benchmarks.fuzz.torch_layers  # noqa: F401 - registers its templates
from benchmarks.fuzz.grow import Template
from benchmarks.fuzz.torch_steps import STEPS

NAME = "torch"
SIZE = "{token}.shape[{axis}]"


def forms() -> list[tuple[str, float]]:
    return [("module", 1.0)]


def targets(form: str) -> list[tuple[str, float]]:
    return [("tf", 10.0), ("keras", 1.0), ("onnx", 0.5), ("torch", 1.5)]


def templates(form: str) -> list[tuple[float, Template]]:
    return STEPS


def environment() -> dict[str, Any]:
    return {"torch": torch, "nn": nn, "F": F}


def is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def tensor(array: np.ndarray, dtype: str) -> torch.Tensor:
    return (
        torch.from_numpy(np.ascontiguousarray(array)).reshape(array.shape).to(getattr(torch, dtype))
    )


def array(value: torch.Tensor) -> np.ndarray:
    value = value.detach()
    return (value.float() if value.dtype == torch.bfloat16 else value).numpy()


def dtype(value: torch.Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def flatten(results: Any) -> list[torch.Tensor]:
    return torch.utils._pytree.tree_leaves(results)


def call(model: Any, inputs: list[torch.Tensor], form: str) -> list[torch.Tensor]:
    with torch.no_grad():
        return flatten(model(*inputs))


def computes_narrower(model: Any, inputs: list, form: str) -> bool:
    """Tell whether a source that gives float64 computes a part of it in float32: none is known."""
    return False


def seeded() -> None:
    torch.manual_seed(0)


def noise(rng: np.random.Generator):
    """Return what moves floats by about a unit in the last place."""

    def moved(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return value
        unit = torch.finfo(value.dtype).eps
        steps = torch.from_numpy(rng.integers(-2, 3, tuple(value.shape)).astype(np.float32))
        return value * (1 + steps.reshape(value.shape).to(value.dtype) * unit)

    return moved


def move_weights(model: Any, rng: np.random.Generator) -> None:
    with torch.no_grad():
        for value in model.state_dict().values():
            if value.is_floating_point():
                value.copy_(noise(rng)(value))
