"""Read the tensors of a checkpoint whose other contents need classes: those are not imported.

A training script keeps its settings beside the weights, as objects of `argparse` or of its own
classes. What is no tensor or plain value becomes a stand-in, which takes everything and does
nothing. So no code that the file names runs.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from converter.formats.content import ZIP, head
from converter.formats.pickles import UNKNOWN, suspicious

PLAIN = frozenset(
    ("argparse", "pathlib", "datetime", "collections", "decimal", "fractions", "uuid", "enum",
     "copyreg", "_codecs", "types", "dataclasses", "typing", "zoneinfo", "ipaddress")
)  # fmt: skip
"""Modules of Python itself from which settings come."""


def attacks(names: tuple[str, ...]) -> list[str]:
    """Return the names in a pickle that no training script puts there: `os.system`, `eval`."""
    return [
        name
        for name in suspicious(names)
        if name.startswith(UNKNOWN)
        or (name.partition(".")[0] in {*sys.stdlib_module_names, "__builtin__"} - PLAIN)
    ]


class StandIn:
    """An object of a class that is not imported."""

    def __new__(cls, *args: Any, **options: Any) -> StandIn:
        return object.__new__(cls)

    def __init__(self, *args: Any, **options: Any) -> None:
        """Forget what it is made of."""

    def __call__(self, *args: Any, **options: Any) -> StandIn:
        return StandIn()

    def __setstate__(self, state: Any) -> None:
        """Forget it."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Forget it; a dictionary of a class of its own is filled like this."""

    def append(self, item: Any) -> None:
        """Forget it, as `extend` and `add` do; lists and sets are filled like this."""

    extend = add = append


class Unpickler(pickle.Unpickler):
    """Imports what puts tensors and plain values together, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if suspicious((f"{module}.{name}",)):
            return type(name.rpartition(".")[2], (StandIn,), {})
        return super().find_class(module, name)


def _load(file: Any, **options: Any) -> Any:
    return Unpickler(file, **options).load()


def read(path: Path) -> Any:
    """Return the content of a file of `torch.save`, with stand-ins."""
    import torch

    restricted = SimpleNamespace(Unpickler=Unpickler, load=_load, __name__=__name__)
    return torch.load(
        path, map_location="cpu", weights_only=False, pickle_module=restricted,
        mmap=head(path, 4) == ZIP or None,
    )  # fmt: skip
