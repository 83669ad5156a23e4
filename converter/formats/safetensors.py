"""Weights in the safetensors format: tensors by name and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converter.errors import UnreadableModelError
from converter.formats import Source
from converter.formats.content import head
from converter.formats.factory import needed
from converter.formats.reading import framework, reading
from converter.formats.state_dict import into_module

NAME = "safetensors"
FRAMEWORK = "torch"

_LENGTH_BYTES = 8
_LONGEST_HEADER = 100_000_000
"""The format's own limit, in bytes."""


def recognise(path: Path) -> bool:
    """Tell it by the length of the JSON header and the brace that the header starts with."""
    start = head(path, _LENGTH_BYTES + 2)
    length = int.from_bytes(start[:_LENGTH_BYTES], "little")
    return start[_LENGTH_BYTES:] in (b'{"', b"{}", b"{ ") and 2 <= length <= _LONGEST_HEADER


def load(path: Path, *, trust: bool, factory: str | None) -> Source:
    """Build the module with the factory and put the weights into it; in evaluation mode.

    Raises:
        UsageError: no factory, or the weights do not fit what it builds.
        UnreadableModelError: the file is damaged.
    """
    check_whole(path)
    if factory is None:
        raise needed(path, "weights (safetensors)")
    return into_module(path, NAME, read_weights(path), factory)


def read_weights(path: Path) -> Mapping[str, Any]:
    """Return the tensors by name.

    Raises:
        UnreadableModelError: the file is damaged.
    """
    check_whole(path)
    framework("torch", "weights for a PyTorch module")
    library = framework("safetensors.torch", "a safetensors file")
    with reading(path, "a safetensors file"):
        weights: Mapping[str, Any] = library.load_file(str(path))
    return weights


def check_whole(path: Path) -> None:
    """Compare the file's length with what its header says.

    Raises:
        UnreadableModelError: it is shorter, or its header is no JSON.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        header = file.read(length)
    try:
        entries = json.loads(header)
        entries.pop("__metadata__", None)
        ends = [entry["data_offsets"][1] for entry in entries.values()]
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise UnreadableModelError(
            f"{path} has a damaged safetensors header", hint="Copy or download it again."
        ) from error
    wanted = _LENGTH_BYTES + length + max(ends, default=0)
    if path.stat().st_size < wanted:
        raise UnreadableModelError(
            f"{path} is truncated: {path.stat().st_size} of {wanted} bytes",
            hint="Copy or download it again.",
        )
