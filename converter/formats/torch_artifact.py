"""The folder that `--to torch` writes: program, weights, record and a loader."""

from __future__ import annotations

from pathlib import Path

from converter import record as records
from converter.errors import UnreadableModelError
from converter.formats import Source, exported_program
from converter.formats.reading import reading

NAME = "torch_artifact"
FRAMEWORK = "torch"

PROGRAM = "model.pt2"
WEIGHTS = "model.safetensors"
LOADER = "load.py"


def recognise(path: Path) -> bool:
    """Tell the folder by its record and the program or weights beside it."""
    return (path / PROGRAM).is_file() or (
        (path / records.FILE_NAME).is_file() and (path / WEIGHTS).is_file()
    )


def load(path: Path, *, trust: bool, factory: str | None) -> Source:
    """Load the exported program with the record beside it.

    Raises:
        UnreadableModelError: a part of it is missing or damaged.
        UntrustedModelError: the program carries code, and ``trust`` is not given.
    """
    program = path / PROGRAM
    if not program.is_file() or program.stat().st_size == 0:
        raise UnreadableModelError(f"{path} has no {PROGRAM}", hint="Convert the model again.")
    if not exported_program.recognise(program):
        raise UnreadableModelError(
            f"{program} is no exported program", hint="Convert the model again."
        )
    with reading(path, "the record of an artifact"):
        record = records.read(path / records.FILE_NAME)
    source = exported_program.load(program, trust=trust, factory=factory)
    signature = record.signature if record else source.signature
    return Source(FRAMEWORK, NAME, source.model, path, signature, record)
