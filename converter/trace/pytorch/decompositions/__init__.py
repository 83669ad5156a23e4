"""What PyTorch's operators are made of, where `torch.onnx` has no translation or a wrong one.

Each file holds a table from an operator to a function of the same arguments, written with other
operators of PyTorch. A function that returns `NotImplemented` leaves the call to `torch.onnx`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any


def table() -> dict[Any, Callable[..., Any]]:
    """Return all of them."""
    found: dict[Any, Callable[..., Any]] = {}
    for room in iter_modules(__path__):
        found.update(import_module(f"{__name__}.{room.name}").DECOMPOSITIONS)
    return found
