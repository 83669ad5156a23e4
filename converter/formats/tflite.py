"""LiteRT files (`.tflite`): the end of a road. They run and are verified, and are no source."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from converter.errors import MissingFrameworkError
from converter.formats import Source
from converter.formats.content import head
from converter.formats.reading import framework, reading
from converter.record import FILE_NAME, Record
from converter.signature import Dim, Signature, TensorSpec

NAME = "tflite"
FRAMEWORK = "tensorflow"

MAGIC = b"TFL3"
_MAGIC_AT = 4
SERVING = "serving_default"


def recognise(path: Path) -> bool:
    """Tell it by its flatbuffer identifier."""
    return head(path, _MAGIC_AT + len(MAGIC))[_MAGIC_AT:] == MAGIC


def load(path: Path, *, trust: bool, factory: str | None) -> Source:
    """Make an interpreter of the file, with the signature that it serves.

    Raises:
        UnreadableModelError: the file is damaged.
    """
    interpreter_class = find_interpreter()
    with reading(path, "a LiteRT model"):
        interpreter = interpreter_class(model_path=str(path))
        record = embedded_record(path)
        signature = record.signature if record else signature_of(interpreter)
    return Source(FRAMEWORK, NAME, interpreter, path, signature, record)


def find_interpreter() -> Any:
    """Return LiteRT's interpreter: from its own package, or the one in TensorFlow."""
    try:
        return framework("ai_edge_litert.interpreter", "a LiteRT model").Interpreter
    except MissingFrameworkError:
        return framework("tensorflow", "a LiteRT model").lite.Interpreter


def embedded_record(path: Path) -> Record | None:
    """Return the record that `save` put behind the model, as LiteRT packs files with a model."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        if FILE_NAME not in archive.namelist():
            return None
        return Record.from_json(json.loads(archive.read(FILE_NAME)))


def signature_of(interpreter: Any) -> Signature:
    """Describe the served signature, or the main graph where the file has none."""
    signatures = interpreter.get_signature_list()
    if signatures:
        key = SERVING if SERVING in signatures else next(iter(signatures))
        runner = interpreter.get_signature_runner(key)
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
    else:
        inputs = {item["name"]: item for item in interpreter.get_input_details()}
        outputs = {item["name"]: item for item in interpreter.get_output_details()}
    return Signature(
        tuple(_spec(name, item) for name, item in inputs.items()),
        tuple(_spec(name, item) for name, item in outputs.items()),
    )


def _spec(name: str, details: Any) -> TensorSpec:
    import numpy as np

    sizes = details.get("shape_signature")
    if sizes is None or not len(sizes):
        sizes = details["shape"]
    shape: tuple[Dim, ...] = tuple(
        int(size) if size >= 0 else "batch" if axis == 0 else f"{name}_dim_{axis}"
        for axis, size in enumerate(sizes)
    )
    kind = np.dtype(details["dtype"])
    return TensorSpec(name, "string" if kind.kind in "SUO" else kind.name, shape)
