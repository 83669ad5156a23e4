"""Find where a difference comes from.

- `locate_graphs`: two ONNX graphs, node by node, in float64
- `record`: the reference's half of that, to be used again
"""

from __future__ import annotations

from typing import Any

__all__ = ["locate_graphs", "record"]

_PLACES = {"locate_graphs": "graphs", "record": "recording"}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _PLACES:
        return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
