"""The folder that `--to torch` writes where `torch.export` cannot hold the model.

It has the module as Python code (`converter.source`), its weights and the record, and no program.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from converter import record as records
from converter.errors import UntrustedModelError
from converter.formats import Source
from converter.formats.reading import reading
from converter.formats.torch_artifact import PROGRAM
from converter.formats.writing import writing
from converter.record import Record, Weight

if TYPE_CHECKING:
    from converter.source.written import Written

NAME = "written_module"
FRAMEWORK = "torch"

MODULE, WEIGHTS = "model.py", "model.safetensors"


def recognise(path: Path) -> bool:
    """Tell the folder by its module, weights and record, and by the program that it has not."""
    parts = (MODULE, WEIGHTS, records.FILE_NAME)
    return all((path / part).is_file() for part in parts) and not (path / PROGRAM).exists()


def load(path: Path, *, trust: bool, factory: str | None) -> Source:
    """Run the module's own ``load``, with the record beside it.

    Raises:
        UntrustedModelError: ``trust`` is not given.
        UnreadableModelError: a part of it is damaged.
    """
    if not trust:
        raise UntrustedModelError(
            f"{path} holds its model as Python code: to read it, {MODULE} is run",
            hint=f"Read {MODULE}. If you trust whoever made it, add --trust (trust=True in "
            "Python).",
        )
    from converter.source.running import imported

    with reading(path, "a written module"):
        record = records.read(path / records.FILE_NAME)
        model = imported(path / MODULE).load(path / WEIGHTS)
    return Source(FRAMEWORK, NAME, model, path, record.signature if record else None, record)


def save(written: Written, path: Path, record: Record) -> None:
    """Write the folder; the same module gives the same bytes.

    Args:
        path: the folder to write; what is above it exists.
        record: of the target; the written module's names and axes of weights are put into it.

    Raises:
        OutputError: the disk is full or cannot be written.
    """
    from converter.source.pytorch.saving import save as save_module

    with writing(path):
        path.mkdir()
        save_module(written, path)
        replace(record, weights=held_in(written, record)).write(path / records.FILE_NAME)


def held_in(written: Written, record: Record) -> dict[str, Weight]:
    """Return where a written module holds each weight of the source that it has."""
    from converter.graph.structure.weights import Weight as WholeWeight

    held: dict[str, Weight] = {}
    for name, weight in written.weights.items():
        known = record.weights.get(weight.name)
        if known is None or weight.name in held or not isinstance(weight, WholeWeight):
            continue  # what is put together of parts is found by its numbers
        order = weight.permutation
        moved = order if order != tuple(range(len(order))) else None
        held[weight.name] = Weight(known.role, moved, name if name != weight.name else None)
    return {name: held[name] for name in record.weights if name in held}
