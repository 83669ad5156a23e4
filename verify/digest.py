"""SHA-256 of models and of inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import UnreadableModelError

if TYPE_CHECKING:
    import numpy as np

INPUT_DIGITS = 16


@dataclass(frozen=True)
class Digest:
    """What a model on disk consists of.

    Attributes:
        sha256: of the file, or for several of the lines ``SHA256  NAME`` in order of names.
        bytes: size of all files.
        files: SHA-256 of each file, by its path below the model's folder (``/`` between parts).
    """

    sha256: str
    bytes: int
    files: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return plain data that `from_json` reads back."""
        return {"sha256": self.sha256, "bytes": self.bytes, "files": dict(self.files)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Digest:
        """Read what `to_json` wrote."""
        return cls(data["sha256"], data["bytes"], dict(data["files"]))


def digest(path: Path) -> Digest:
    """Return the digest of a model: of a file, of a folder, of an ONNX file with its data files.

    Raises:
        UnreadableModelError: there is no such file or folder, or it cannot be read.
    """
    try:
        members = dict(sorted(_members(path).items()))
        files = {name: _of_file(member) for name, member in members.items()}
        size = sum(member.stat().st_size for member in members.values())
    except OSError as error:
        raise UnreadableModelError(
            f"{path} cannot be read: {error.strerror}", hint="Give the path of a model."
        ) from error
    if len(files) == 1 and path.is_file():
        return Digest(next(iter(files.values())), size, files)
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in files.items())
    return Digest(hashlib.sha256(lines.encode()).hexdigest(), size, files)


def of_inputs(inputs: Mapping[str, np.ndarray]) -> str:
    """Return the first digits of a digest of arrays: their names, dtypes, shapes and values."""
    from verify.arrays import dtype_name, to_bits

    whole = hashlib.sha256()
    for name, array in sorted(inputs.items()):
        whole.update(f"{name}:{dtype_name(array)}{list(array.shape)}\n".encode())
        if array.dtype.kind in "OSUT":
            for item in array.ravel().tolist():
                text = item if isinstance(item, bytes) else str(item).encode()
                whole.update(len(text).to_bytes(8, "little") + text)
        else:
            whole.update(to_bits(array).tobytes())
    return whole.hexdigest()[:INPUT_DIGITS]


def _members(path: Path) -> dict[str, Path]:
    if path.is_dir():
        found = (member for member in path.rglob("*") if member.is_file())
        return {member.relative_to(path).as_posix(): member for member in found}
    data = _onnx_data(path) if path.suffix == ".onnx" else []
    return {path.name: path} | {name: path.parent / name for name in data}


def _onnx_data(path: Path) -> list[str]:
    """Return the files beside an ONNX file that hold its weights, by relative path."""
    import onnx_ir as ir

    try:
        model = ir.load(path)
    except OSError:
        raise
    except Exception as error:  # a parser's own class, of whichever library reads it
        raise UnreadableModelError(f"{path} is not an ONNX file: {error}") from error
    tensors = (value.const_value for value in model.graph.initializers.values())
    return list(dict.fromkeys(
        str(tensor.location) for tensor in tensors if isinstance(tensor, ir.ExternalTensor)
    ))  # fmt: skip


def _of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
