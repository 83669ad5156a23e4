"""A written module is run as whoever gets it runs it: from its file."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def imported(file: Path) -> ModuleType:
    """Return the module that a file defines; each call makes a new one, known by its name.

    What a file does while it is run may look its own module up: a dataclass does.
    """
    spec = importlib.util.spec_from_file_location("written_model", file)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
