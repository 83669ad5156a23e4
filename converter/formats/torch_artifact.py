"""The folder that `--to torch` writes: program, weights, record and a loader."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from converter import record as records
from converter.errors import NotExportable, UnreadableModelError
from converter.formats import Source, exported_program
from converter.formats.reading import framework, reading
from converter.formats.writing import Remembering, writing
from converter.record import Record

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


def save(module: Any, path: Path, record: Record) -> None:
    """Write the folder; the same module gives the same bytes.

    Args:
        module: a `converter.rebuild.pytorch.module.ConvertedModule`.
        path: the folder to write; what is above it exists.
        record: what is written beside the program. `model.safetensors` holds the weights that it
            names in the source's layout, `model.pt2` as they are stored.

    Raises:
        NotExportable: the module cannot be exported; nothing was written.
        OutputError: the disk is full or cannot be written.
    """
    from converter.formats import torch_loader
    from converter.formats.torch_export import export
    from converter.trace.pytorch.trace import quiet

    safetensors = framework("safetensors.torch", "a PyTorch artifact")
    with quiet(), writing(path):
        program = export(module, record.signature)
        own_storage_of_nothing(program)
        path.mkdir()
        write_program(program, path)
        weights = source_weights(module, record)
        safetensors.save_file(weights, path / WEIGHTS, metadata={"format": "pt"})
        record.write(path / records.FILE_NAME)
        loader = Path(torch_loader.__file__).read_text()
        (path / LOADER).write_text(loader)


def write_program(program: Any, path: Path) -> None:
    """Write a program into a folder.

    Raises:
        NotExportable: PyTorch has no form for something in it; the folder is gone.
    """
    import torch

    try:
        with Remembering(path / PROGRAM) as file:
            torch.export.save(program, file)  # type: ignore[arg-type]
    except Exception as error:
        if type(error).__name__ != "SerializeError":
            raise
        shutil.rmtree(path)
        raise NotExportable(
            f"the exported program cannot be written to a file: {str(error).splitlines()[0]}",
            hint="Give sizes in place of some words in --input, or use the live module in Python.",
        ) from error


def own_storage_of_nothing(program: Any) -> None:
    """Give tensors without elements storage of their own, in place.

    PyTorch takes such a part of another storage to begin at address 0, and fails to write it.
    """
    import torch

    for tensor in (*program.state_dict.values(), *program.constants.values()):
        if isinstance(tensor, torch.Tensor) and not tensor.numel():
            tensor.data = torch.empty(tensor.shape, dtype=tensor.dtype)


def source_weights(module: Any, record: Record) -> dict[str, Any]:
    """Return the named weights in the source's layout, each with memory of its own."""
    import torch

    own = module.state_dict(keep_vars=True)
    weights = {}
    for name, weight in record.weights.items():
        tensor = own[weight.held_as or name].detach().cpu()
        if weight.permutation:
            inverse = [weight.permutation.index(axis) for axis in range(len(weight.permutation))]
            tensor = tensor.permute(inverse)
        weights[name] = tensor.clone(memory_format=torch.contiguous_format)
    return weights
