"""Write an artifact beside its place, and move it there in one rename when it is whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from converter.errors import OutputError
from converter.temporary import TemporaryFolder, sweep


def swept(path: Path) -> list[str]:
    """Remove what runs that were killed have left beside ``path``; says what, a line for each.

    Nothing that a living process works on is touched.
    """
    return [
        f"removed {folder.name}, which a run that was killed had left beside {path}"
        for folder in sweep(_prefix(path), path.absolute().parent)
    ]


def _prefix(path: Path) -> str:
    return f".{path.name}."


def refuse_existing(path: Path) -> None:
    """Refuse to overwrite, before any work is done.

    Raises:
        OutputError: ``path`` exists, or the folder that it would be in cannot be written.
    """
    if path.exists() or path.is_symlink():
        raise OutputError(
            f"the output {path} exists already",
            hint="Choose another path with -o, or remove it first.",
        )
    folder = path.absolute().parent
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not existing.is_dir():
        raise OutputError(f"{existing} is a file, so {path} cannot be written")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise OutputError(
            f"the folder {existing} cannot be written", hint="Choose another path with -o."
        )


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Give a temporary sibling of ``path`` to write to; nothing of it is left if anything fails.

    The caller calls `publish` with the sibling when the artifact is whole and verified.

    Raises:
        OutputError: the folder cannot be made or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        holder = TemporaryFolder(_prefix(path), path.parent)
    except OSError as error:
        raise OutputError(
            f"the folder {path.parent} cannot be written: {error.strerror}",
            hint="Choose another path with -o.",
        ) from error
    with holder as folder:
        yield folder / path.name


def discard(temporary: Path) -> None:
    """Remove what a failed attempt has written, so that another can write there."""
    if temporary.is_dir():
        shutil.rmtree(temporary)
    else:
        temporary.unlink(missing_ok=True)


def publish(temporary: Path, path: Path) -> None:
    """Move a finished artifact into its place.

    Raises:
        OutputError: something has come to lie there in the meantime, or the rename fails.
    """
    refuse_existing(path)
    try:
        temporary.rename(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from error
