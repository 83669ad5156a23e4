"""SavedModel folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converter import record as records
from converter.errors import UnreadableModelError, UntrustedModelError
from converter.formats import Source
from converter.formats.reading import framework, reading
from converter.formats.writing import writing
from converter.record import Record

NAME = "saved_model"
FRAMEWORK = "tensorflow"

GRAPH = "saved_model.pb"
RECORD = Path("assets.extra") / records.FILE_NAME


def folder_of(path: Path) -> Path:
    """Return the SavedModel folder for itself, for the graph file in it, or for a signature."""
    path, _ = parted(path)
    return path.parent if path.name == GRAPH and path.is_file() else path


def parted(path: Path) -> tuple[Path, str | None]:
    """Take ``model#signature`` apart: the path, and the name of the signature if there is one."""
    stem, mark, name = path.name.rpartition("#")
    if not mark or path.exists() or not (path.with_name(stem or "#")).exists():
        return path, None
    return path.with_name(stem), name


def recognise(path: Path) -> bool:
    """Tell the folder by its graph file, which may be given itself too."""
    return (folder_of(path) / GRAPH).is_file()


def load(path: Path, *, trust: bool, factory: str | None) -> Source:
    """Load the folder; the signature is that of ``serving_default``, or of the record.

    ``folder#name`` has the signature of that name.

    Raises:
        UntrustedModelError: the graph calls Python or touches files, and ``trust`` is not given.
        UnreadableModelError: a part is missing or damaged.
    """
    folder, (_, chosen) = folder_of(path), parted(path)
    check_whole(folder)
    tf: Any = framework("tensorflow", "a SavedModel")
    framework("converter.formats.tensorflow_signature", "a SavedModel")
    if not trust:
        refuse_code(folder)
    with reading(path, "a SavedModel"):
        model = tf.saved_model.load(str(folder))
        if chosen is not None:
            from converter.formats.tensorflow_signature import one_signature

            one_signature(model, chosen, str(folder))
        record = records.read(folder / RECORD)
        signature = record.signature if record else _signature(model)
    return Source(FRAMEWORK, NAME, model, path, signature, record)


def _signature(model: Any) -> Any:
    from converter.formats.tensorflow_signature import (
        served_function,
        served_signature,
        traced_inputs,
        undecided,
    )
    from converter.signature import Signature

    function = served_function(model)
    if function is not None:
        return served_signature(function)
    inputs = traced_inputs(model)
    return Signature(inputs) if inputs and not undecided(model) else None


def check_whole(folder: Path) -> None:
    """Refuse what TensorFlow would only crash on.

    Raises:
        UnreadableModelError: the graph is empty, or an index of variables lacks its data.
    """
    if (folder / GRAPH).stat().st_size == 0:
        raise UnreadableModelError(f"{folder / GRAPH} is empty", hint="Copy or download it again.")
    variables = folder / "variables"
    if (variables / "variables.index").is_file() != any(variables.glob("variables.data-*")):
        raise UnreadableModelError(
            f"{variables} has only a part of the variables",
            hint="It needs variables.index and variables.data-...: copy the whole folder again.",
        )


def refuse_code(folder: Path) -> None:
    """Look through the graph for operators that are not known to be plain computation.

    Raises:
        UntrustedModelError: says which, and in which function.
    """
    from converter.formats.saved_model_code import findings

    with reading(folder, "a SavedModel"):
        found = findings((folder / GRAPH).read_bytes())
    if found:
        raise UntrustedModelError(
            f"{folder} has operators that may call code or touch files: {'; '.join(found[:4])}",
            hint="If you trust whoever made it, add --trust (trust=True in Python).",
        )


def save(module: Any, path: Path, record: Record) -> None:
    """Write a SavedModel; the same module gives the same bytes.

    Args:
        module: a `converter.rebuild.tensorflow.module.ConvertedModule`.
        path: the folder to write; what is above it exists.
        record: what is written beside the graph.

    In the loaded object ``loaded.weights[name]`` is the variable under its source's name.

    Raises:
        OutputError: the disk is full or cannot be written.
    """
    import tensorflow as tf

    from converter.formats.saved_model_names import canonical, restore_inputs

    with writing(path):
        tf.saved_model.save(module, str(path), signatures=module.signatures())
        canonical(path)
        restore_inputs(path, module.served)
        record.write(path / RECORD)
