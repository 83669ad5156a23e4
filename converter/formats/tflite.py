"""LiteRT files (`.tflite`): the end of a road. They run and are verified, and are no source."""

from __future__ import annotations

import json
import mmap
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from converter.errors import ConversionError, MissingFrameworkError
from converter.formats import Source
from converter.formats.content import head
from converter.formats.reading import framework, one_line, reading
from converter.formats.saved_model_names import canonical, restore_inputs
from converter.formats.writing import writing
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
    interpreter_class, _ = find_interpreter(path)
    with reading(path, "a LiteRT model"):
        interpreter = interpreter_class(model_path=str(path))
        record = embedded_record(path)
        signature = record.signature if record else signature_of(interpreter)
    return Source(FRAMEWORK, NAME, interpreter, path, signature, record)


def find_interpreter(path: Path) -> tuple[Any, Any]:
    """Return LiteRT's ``Interpreter`` and ``OpResolverType``.

    From LiteRT's own package; from TensorFlow where that is missing, or where the file takes
    operators from TensorFlow, which only the interpreter in TensorFlow has.

    Raises:
        MissingFrameworkError: neither is installed.
    """
    if not takes_from_tensorflow(path):
        try:
            module = framework("ai_edge_litert.interpreter", "a LiteRT model")
        except MissingFrameworkError:
            pass
        else:
            return module.Interpreter, module.OpResolverType
    lite = framework("tensorflow", "a LiteRT model").lite
    return lite.Interpreter, lite.experimental.OpResolverType


def takes_from_tensorflow(path: Path) -> bool:
    """Tell whether a file has Select TF ops: custom operators called ``Flex...``."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return re.search(rb"Flex[A-Z]\w{2,60}\0", content) is not None


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


def save(module: Any, path: Path, record: Record) -> list[str]:
    """Write a `.tflite` file; inputs and outputs have the source's names in its signature.

    Weights become constants of the file: LiteRT does not train. The record lies behind the model
    as a zip archive, the way LiteRT packs files that go with one.

    Args:
        module: a `converter.rebuild.tensorflow.module.ConvertedModule`.
        path: the file to write; what is above it exists.

    Returns:
        What the user should know: operators that LiteRT takes from TensorFlow (Select TF ops),
        which must be linked into whatever runs the file.

    Raises:
        ConversionError: an operator that neither LiteRT nor its TensorFlow part has, or its
            converter refuses the graph for another reason.
        OutputError: the disk is full or cannot be written.
    """
    import tensorflow as tf

    with writing(path), tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
        graph = Path(folder) / "graph"
        tf.saved_model.save(module, str(graph), signatures=module.signatures())
        canonical(graph)
        restore_inputs(graph, module.served)
        content, notes = flatbuffer(graph, variables=bool(record.signature.state))
        path.write_bytes(content)
        append_record(path, record)
    return notes


def flatbuffer(folder: Path, *, variables: bool = False) -> tuple[bytes, list[str]]:
    """Convert a SavedModel with LiteRT's own operators, or with TensorFlow's beside them.

    Args:
        variables: keep variables that are assigned; an interpreter holds them between calls.
    """
    import tensorflow as tf

    own, select = tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS
    try:
        return convert(folder, [own], variables), []
    except Exception as error:
        lacking = lacking_operators(str(error))
        if not lacking:
            raise refused(error) from error
    try:
        content = convert(folder, [own, select], variables)
    except Exception as error:
        still = lacking_operators(str(error))
        if not still:
            raise refused(error) from error
        raise ConversionError(
            f"LiteRT has no operator for {', '.join(still)}, nor has its TensorFlow part",
            hint="--to tf writes the same model for TensorFlow, which has them.",
        ) from error
    return content, [
        f"LiteRT lacks {', '.join(lacking)}; the file takes them from TensorFlow (Select TF ops), "
        "which must be linked into whatever runs it."
    ]


def convert(folder: Path, operators: list[Any], variables: bool = False) -> bytes:
    """Run LiteRT's converter."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=[SERVING])
    converter.target_spec.supported_ops = operators
    converter.experimental_enable_resource_variables = variables
    content: bytes = converter.convert()
    return content


_LACKING = re.compile(r"^\s*tf\.(?P<name>\w+)\(", re.MULTILINE)
_NOT_LEGAL = re.compile(r"'tf\.(?P<name>\w+)' op is neither a custom op nor a flex op")


def lacking_operators(message: str) -> list[str]:
    """Return the operators that the converter's message says LiteRT lacks."""
    return sorted(set(_NOT_LEGAL.findall(message)) | set(_LACKING.findall(message)))


def refused(error: Exception) -> ConversionError:
    """Return our error for one of the converter's."""
    return ConversionError(
        f"LiteRT's converter refuses the model: {one_line(error)}",
        hint="--to tf writes the same model as a SavedModel.",
    )


def append_record(path: Path, record: Record) -> None:
    """Put the record behind the model; always the same bytes."""
    member = zipfile.ZipInfo(FILE_NAME, date_time=(1980, 1, 1, 0, 0, 0))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(member, json.dumps(record.to_json(), indent=1))
