"""ONNX files; past 1 GB of weights a folder with the graph and its data beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from converter.errors import UnreadableModelError
from converter.formats import Source
from converter.formats.content import head
from converter.formats.reading import framework, reading
from converter.formats.writing import writing
from converter.record import Record

NAME = "onnx_file"
FRAMEWORK = "onnx"

GRAPH = "model.onnx"
DATA = "model.onnx.data"
RECORD_KEY = "equiport"

LIMIT = 1 << 30
"""Bytes of weights up to which they lie in the graph's file; protobuf itself ends at twice that."""

_METADATA_VERSION = 10
"""IR version from which tensors carry metadata: roles and permutations of weights."""

_MODEL_FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
"""Field numbers of ``ModelProto``."""
_GRAPH_FIELD = 7
_BYTES, _VARINT = 2, 0


def file_of(path: Path) -> Path:
    """Return the graph file: the path itself, or ``model.onnx`` in a folder."""
    return path / GRAPH if path.is_dir() else path


def recognise(path: Path) -> bool:
    """Tell it by the fields of its protobuf, which has no magic number: known ones, one a graph."""
    file = file_of(path)
    if not file.is_file() or not head(file, 1):
        return False
    return _GRAPH_FIELD in top_level_fields(file)


def top_level_fields(path: Path) -> list[int]:
    """Return the field numbers of a serialized ``ModelProto`` without reading what they hold.

    Stops at the first thing that is none of them, and where the file ends.
    """
    numbers: list[int] = []
    size = path.stat().st_size
    with path.open("rb") as file:
        while file.tell() < size:
            tag = _varint(file)
            if tag is None or tag >> 3 not in _MODEL_FIELDS or tag & 7 not in (_BYTES, _VARINT):
                return []
            numbers.append(tag >> 3)
            value = _varint(file)
            if value is None:
                break
            if tag & 7 == _BYTES:
                file.seek(value, 1)
    return numbers


def _varint(file: Any) -> int | None:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    return None


def load(path: Path, *, trust: bool, factory: str | None) -> Source:
    """Load the graph; weights are mapped, not read.

    Raises:
        UnreadableModelError: the file or its external data is missing or damaged.
        UntrustedModelError: external data outside of the file's folder.
    """
    ir = framework("onnx_ir", "an ONNX file")
    framework("onnx", "an ONNX file")
    from converter.formats.onnx_data import check_external_data

    file = file_of(path)
    with reading(path, "an ONNX file"):
        model = ir.load(file)
        if not len(model.graph.outputs):
            raise UnreadableModelError(
                f"{path} has an ONNX graph without outputs", hint="Copy or download it again."
            )
        check_external_data(model, file)
        return wrapped(model, NAME, file)


def wrapped(model: Any, kind: str, path: Path | None) -> Source:
    """Wrap a graph with its signature and, if Equiport wrote it, its record."""
    from converter.graph.signatures import signature_of

    text = model.metadata_props.get(RECORD_KEY)
    record = Record.from_json(json.loads(text)) if text else None
    restore_roles(model, record)
    signature = record.signature if record else signature_of(model)
    return Source(FRAMEWORK, kind, model, path, signature, record)


def restore_roles(model: Any, record: Record | None) -> None:
    """Say of each initializer what the record says: its role and its permutation; in place."""
    for name, weight in (record.weights if record else {}).items():
        value = model.graph.initializers.get(name)
        if value is None:
            continue
        value.metadata_props["equiport.role"] = weight.role
        if weight.permutation:
            value.metadata_props["equiport.permutation"] = ",".join(map(str, weight.permutation))


def save(model: Any, path: Path, record: Record, *, limit: int = LIMIT) -> None:
    """Write the graph, with the record in its metadata; the same graph gives the same bytes.

    Args:
        model: an `onnx_ir.Model`; stays as it is.
        path: a file; past ``limit`` bytes of weights a folder with ``model.onnx`` and
            ``model.onnx.data``, so that one rename still moves the whole artifact.
        record: roles and permutations of the weights; read back by `load`.

    Raises:
        OutputError: the disk is full or cannot be written.
    """
    import onnx_ir as ir

    copy = model.clone()
    copy.metadata_props[RECORD_KEY] = json.dumps(record.to_json())
    copy.ir_version = max(copy.ir_version or 0, _METADATA_VERSION)
    held = [v.const_value for graph in copy.graphs() for v in graph.initializers.values()]
    size = sum(tensor.nbytes for tensor in held if tensor is not None)
    with writing(path):
        if size <= limit:
            ir.save(copy, path)
            return
        path.mkdir()
        ir.save(copy, path / GRAPH, external_data=DATA)
