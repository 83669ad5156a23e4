"""Writing a report to its file, whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from converter.errors import OutputError
from converter.temporary import TemporaryFolder, sweep


def write_text(text: str, path: str | Path) -> None:
    """Write a report, replacing an older one in one rename.

    Raises:
        OutputError: the file cannot be written.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():  # /dev/stdout, a pipe
            path.write_text(text, encoding="utf-8")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(f".{path.name}.", path.parent)
        with TemporaryFolder(f".{path.name}.", path.parent) as folder:
            temporary = folder / path.name
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
    except OSError as error:
        raise OutputError(f"the report {path} cannot be written: {error.strerror}") from error


def check_writable(path: str | Path) -> None:
    """Refuse a path that cannot be written, before any work is done.

    Raises:
        OutputError: it is a folder, or lies where nothing can be written.
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"the report {path} is a folder", hint="Give the name of a file.")
    folder = path.absolute().parent
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise OutputError(f"the report {path} cannot be written: {existing} is not writable")
