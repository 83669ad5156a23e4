"""A written module is run as whoever gets it runs it: from its file."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


class _Traceless(SourceFileLoader):
    """Leaves no compiled file beside the module: its folder is an artifact."""

    def set_data(self, path: str, data: Buffer, *, _mode: int = 0o666) -> None:
        """Write nothing."""


def imported(file: Path) -> ModuleType:
    """Return the module that a file defines; each call makes a new one, known by its name.

    What a file does while it is run may look its own module up: a dataclass does.
    """
    loader = _Traceless("written_model", str(file))
    spec = importlib.util.spec_from_file_location("written_model", file, loader=loader)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
