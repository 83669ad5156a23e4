"""Reference models: hand-written twins in both frameworks, and well-known architectures.

`names()` lists them, `get(name)` describes one, `load(name, framework)` gives it live, and
`transfer(torch_model, keras_model, entry)` loads one twin's weights into the other.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["Entry", "NameMapError", "get", "load", "names", "sample", "transfer"]

_HOMES = {
    "Entry": "zoo.entry",
    "NameMapError": "zoo.name_map",
    "get": "zoo.registry",
    "load": "zoo.loading",
    "names": "zoo.registry",
    "sample": "zoo.sampling",
    "transfer": "zoo.name_map",
}


def __getattr__(name: str) -> Any:
    """Import on first use: ``zoo list`` must not wait for NumPy or a framework."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")
