"""Where an artifact keeps the source code of its model."""

from __future__ import annotations

from pathlib import Path

SOURCE = "source"
"""Folder of an artifact that holds the written module and its weights."""


def source_code(artifact: Path) -> Path | None:
    """Return the file of the written module: beside the program, or the artifact itself."""
    files = (artifact / SOURCE / "model.py", artifact / "model.py")
    return next((file for file in files if file.is_file()), None)
