"""Move trained models between PyTorch and TensorFlow through ONNX, and prove that they arrived."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from converter.errors import EquiportError

__all__ = ["Conversion", "EquiportError", "convert", "inspect", "load"]

_HOMES = {
    "Conversion": "converter.pipeline",
    "convert": "converter.pipeline",
    "inspect": "converter.inspection",
    "load": "converter.pipeline",
}


def __getattr__(name: str) -> Any:
    """Import on first use: `convert --help` must not wait for a framework."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'converter' has no attribute {name!r}")
