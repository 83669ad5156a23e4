"""TorchScript archives: what `torch.jit.save` writes."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from converter.errors import UntrustedModelError
from converter.formats import Source
from converter.formats.content import inner
from converter.formats.reading import framework, reading

NAME = "torchscript"
FRAMEWORK = "torch"

_FILE_OPERATORS = re.compile(r"\b(torch\.save|torch\.from_file|ops\.aten\.(?:save|from_file))\(")
"""TorchScript is a graph language of its own; these are its only ways to the file system."""


def recognise(path: Path) -> bool:
    """Tell a TorchScript archive by its constants and its code."""
    names = inner(path)
    return "constants.pkl" in names and any(name.startswith("code/") for name in names)


def load(path: Path, *, trust: bool, factory: str | None) -> Source:
    """Load the module, on the CPU; what its inputs look like the archive does not say.

    Raises:
        UntrustedModelError: it reads or writes files, and ``trust`` is not given.
        UnreadableModelError: the archive is damaged.
    """
    if not trust:
        refuse_file_operators(path)
    torch = framework("torch", "a TorchScript archive")
    with reading(path, "a TorchScript archive"):
        model = torch.jit.load(str(path), map_location="cpu")
    return Source(FRAMEWORK, NAME, model, path)


def refuse_file_operators(path: Path) -> None:
    """Look through the archive's code for operators that touch files."""
    with reading(path, "a TorchScript archive"), zipfile.ZipFile(path) as archive:
        for short, name in inner(path).items():
            if not short.startswith("code/") or not short.endswith(".py"):
                continue
            found = _FILE_OPERATORS.search(archive.read(name).decode(errors="replace"))
            if found:
                raise UntrustedModelError(
                    f"{path} reads or writes files: {found[1]} in {short.removeprefix('code/')}",
                    hint="If you trust whoever made it, add --trust (trust=True in Python).",
                )
