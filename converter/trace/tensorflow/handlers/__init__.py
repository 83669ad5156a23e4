"""Translations of TensorFlow operators that tf2onnx lacks or gets wrong; one function each."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules

__all__ = ["load_translations"]


def load_translations() -> dict[str, Callable]:
    """Import every room of this folder, which fills the table, and return the table."""
    for found in iter_modules(__path__):
        import_module(f"{__name__}.{found.name}")
    table: dict[str, Callable] = import_module(f"{__name__}.table").TRANSLATIONS
    return table
