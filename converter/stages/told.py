"""Typed errors as plain data, so that they come through a process boundary as they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from converter import errors
from converter.errors import EquiportError, UnsupportedOp, UnsupportedOpsError


def to_data(error: EquiportError) -> dict[str, Any]:
    """Return plain data that `from_data` reads back."""
    names = ("message", "hint", "node", "module_path", "source_line")
    data = {name: getattr(error, name) for name in names}
    operators = [asdict(item) for item in getattr(error, "operators", ())]
    return {"class": type(error).__name__, **data, "operators": operators}


def from_data(data: Mapping[str, Any]) -> EquiportError:
    """Make the error again, of its own class."""
    kind = getattr(errors, data["class"], EquiportError)
    error: EquiportError = kind.__new__(kind)
    EquiportError.__init__(
        error, data["message"], hint=data["hint"], node=data["node"],
        module_path=data["module_path"], source_line=data["source_line"],
    )  # fmt: skip
    if isinstance(error, UnsupportedOpsError):
        error.operators = tuple(UnsupportedOp(**item) for item in data["operators"])
    return error
