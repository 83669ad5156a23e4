"""Look into files without the frameworks that wrote them."""

from __future__ import annotations

import zipfile
from pathlib import Path

from converter.errors import UnreadableModelError

ZIP = b"PK\x03\x04"

_KNOWN = (
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"\x7fELF", "a program"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"GGUF", "a GGUF file"),
    *((bytes((0x80, n)), "a Python pickle, not one of torch.save") for n in range(2, 6)),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
)
"""What people hand over by mistake, by its first bytes."""


def head(path: Path, count: int = 512) -> bytes:
    """Return the first ``count`` bytes of a file; nothing of a folder."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(count)


def members(path: Path) -> tuple[str, ...]:
    """Return the names in a zip archive; nothing if it is none.

    Raises:
        UnreadableModelError: it begins like a zip archive, and its directory is missing.
    """
    if head(path, 4) != ZIP:
        return ()
    try:
        with zipfile.ZipFile(path) as archive:
            return tuple(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UnreadableModelError(
            f"{path} is a truncated or damaged archive: {error}",
            hint="Copy or download it again; its end is missing or wrong.",
        ) from error


def inner(path: Path) -> dict[str, str]:
    """Map the names in a zip archive, without the folder around all of them, to the full names."""
    return {name.partition("/")[2] if "/" in name else name: name for name in members(path)}


def member(path: Path, name: str) -> bytes:
    """Return the content of one member of a zip archive.

    Raises:
        UnreadableModelError: the member is missing or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, ValueError) as error:
        raise UnreadableModelError(
            f"{path} is a damaged archive: {name}: {error}", hint="Copy or download it again."
        ) from error


UNKNOWN = "of an unknown format"


def described(path: Path) -> str:
    """Say in words what a file that is no model looks like."""
    if path.is_dir():
        names = sorted(item.name for item in path.iterdir())
        if not names:
            return "an empty folder"
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        return f"a folder with {shown}"
    start = head(path)
    for magic, words in _KNOWN:
        if start.startswith(magic):
            return words
    if start.startswith(ZIP):
        names = sorted(members(path))
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        return f"a zip archive with {shown}" if names else "an empty zip archive"
    try:
        start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # not just a character that is cut in two
            return UNKNOWN
    return "a text file" if b"\0" not in start else UNKNOWN
