"""Exported programs (`.pt2`): what `torch.export.save` writes, now and in older versions."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from converter.errors import UntrustedModelError
from converter.formats import Source
from converter.formats.content import inner, member
from converter.formats.exported_code import findings
from converter.formats.reading import framework, reading

NAME = "exported_program"
FRAMEWORK = "torch"

_OLD_LAYOUT = "serialized_exported_program.json"


def recognise(path: Path) -> bool:
    """Tell a `.pt2` archive by its own mark, or by the member that older versions wrote."""
    names = inner(path)
    if _OLD_LAYOUT in names:
        return True
    mark = names.get("archive_format")
    return mark is not None and member(path, mark).strip() == b"pt2"


def load(path: Path, *, trust: bool, factory: str | None) -> Source:
    """Load the program with its signature.

    Raises:
        UntrustedModelError: it carries code beside its graph, and ``trust`` is not given.
        UnreadableModelError: the archive is damaged, or uses operators that are not registered.
    """
    if not trust:
        refuse_code(path)
    torch = framework("torch", "an exported program")
    hint = "It is damaged, a newer PyTorch wrote it, or it uses custom operators: register them."
    with reading(path, "an exported program", hint):
        # A file object: torch takes the ending of a path for the format.
        program: Any = torch.export.load(io.BytesIO(path.read_bytes()))
        from converter.formats.torch_signature import signature_of

        return Source(FRAMEWORK, NAME, program, path, signature_of(program))


def refuse_code(path: Path) -> None:
    """Refuse a file in which more than a graph and tensors would be evaluated.

    Raises:
        UntrustedModelError: says what was found.
    """
    with reading(path, "an exported program"):
        found = findings(path)
    if found:
        raise UntrustedModelError(
            f"{path} carries more than a graph: {'; '.join(found[:4])}",
            hint="If you trust whoever made it, add --trust (trust=True in Python).",
        )
