"""What a side holds: its weights as bits, with names, and how they are stored.

Weights cross between processes in one file, each at a multiple of 64 bytes, and are mapped there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verify.arrays import dtype_name, from_bits, to_bits

if TYPE_CHECKING:
    from converter.formats import Source

ALIGNMENT = 64
"""Bytes; what every dtype and every cache line is content with."""


@dataclass(frozen=True)
class Weight:
    """One tensor that a side holds.

    Attributes:
        name: its name there.
        bits: its elements; those that NumPy has no dtype for as integers.
        dtype: our name of its dtype (`converter.signature.DTYPES`).
        role: ``"parameter"`` (trained), ``"buffer"``, or ``""`` where the side does not say.
        aliases: further names of the same memory.
    """

    name: str
    bits: np.ndarray
    dtype: str
    role: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, as the array has it."""
        return self.bits.shape

    @property
    def is_float(self) -> bool:
        """Whether it holds real or complex numbers."""
        return "float" in self.dtype or self.dtype.startswith("complex")

    def values(self) -> np.ndarray:
        """Return the elements in their own dtype."""
        return from_bits(self.bits, self.dtype)


def weight_of(
    name: str, array: np.ndarray, role: str = "", aliases: tuple[str, ...] = ()
) -> Weight:
    """Return the weight that an array is."""
    return Weight(name, to_bits(array), dtype_name(array), role, aliases)


@dataclass
class Holding:
    """All weights of a side.

    Attributes:
        weights: by name, in order.
        permutations: ``stored = source.transpose(permutation)`` by name, from the record; ``None``:
            there is no record.
        note: what is not among the weights and why; ``""`` if nothing.
        framework: the side's own; ``""`` if not known.
        made_from: framework of what the record says the side was converted from, ``""``: no record.
    """

    weights: dict[str, Weight] = field(default_factory=dict)
    permutations: Mapping[str, tuple[int, ...]] | None = None
    note: str = ""
    framework: str = ""
    made_from: str = ""

    @property
    def recorded(self) -> bool:
        """Whether a record tells how each weight is stored."""
        return self.permutations is not None

    def in_source_layout(self) -> dict[str, Weight]:
        """Return the weights with their recorded permutations undone; views, not copies."""
        result = {}
        for name, weight in self.weights.items():
            bits, order = weight.bits, (self.permutations or {}).get(name)
            if order is not None and len(order) == bits.ndim:
                bits = bits.transpose(np.argsort(order))
            result[name] = Weight(name, bits, weight.dtype, weight.role, weight.aliases)
        return result


def held(source: Source) -> Holding:
    """Read the weights of a loaded model; nothing is run.

    Raises:
        MissingFrameworkError: what reads a LiteRT file is not installed.
    """
    place = "tflite" if source.kind == "tflite" else source.framework
    reader: Any = import_module(f"verify.proof.held_{place}")
    holding: Holding = reader.held(source)
    holding.framework = source.framework
    record = source.record
    if record is None or source.kind == "tflite":
        return holding
    holding.made_from = record.source_framework
    rename(holding, {w.held_as: name for name, w in record.weights.items() if w.held_as})
    holding.permutations = {
        name: weight.permutation
        for name, weight in record.weights.items()
        if weight.permutation is not None
    }
    for name, weight in record.weights.items():
        if name in holding.weights:
            own = holding.weights[name]
            holding.weights[name] = Weight(name, own.bits, own.dtype, weight.role, own.aliases)
    return holding


def rename(holding: Holding, names: Mapping[str, str]) -> None:
    """Give weights their names in the source, where they have others in the model; in place."""
    weights = holding.weights.values()
    holding.weights = {
        names.get(own.name, own.name): replace(own, name=names.get(own.name, own.name))
        for own in weights
    }


def write(holding: Holding, path: Path) -> dict[str, Any]:
    """Write all weights to one file and return the message that tells of them."""
    entries, position = [], 0
    with path.open("wb") as file:
        for weight in holding.weights.values():
            bits = np.ascontiguousarray(weight.bits)
            padding = -position % ALIGNMENT
            file.write(b"\0" * padding)
            position += padding
            entries.append(
                {
                    "name": weight.name,
                    "dtype": weight.dtype,
                    "bits": bits.dtype.str,
                    "shape": list(weight.shape),
                    "role": weight.role,
                    "aliases": list(weight.aliases),
                    "offset": position,
                }
            )
            file.write(bits.reshape(-1).view(np.uint8).data if bits.size else b"")
            position += bits.nbytes
    stored = holding.permutations
    return {
        "file": str(path),
        "weights": entries,
        "permutations": None if stored is None else {n: list(p) for n, p in stored.items()},
        "note": holding.note,
        "framework": holding.framework,
        "made_from": holding.made_from,
    }


def read(told: Mapping[str, Any]) -> Holding:
    """Return the weights that `write` told of, mapped."""
    path = Path(told["file"])
    content = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
    weights = {}
    for entry in told["weights"]:
        dtype, shape = np.dtype(entry["bits"]), tuple(entry["shape"])
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        start = entry["offset"]
        bits = content[start : start + size].view(dtype).reshape(shape)
        weights[entry["name"]] = Weight(
            entry["name"], bits, entry["dtype"], entry["role"], tuple(entry["aliases"])
        )
    stored = told["permutations"]
    permutations = None if stored is None else {name: tuple(p) for name, p in stored.items()}
    return Holding(weights, permutations, told["note"], told["framework"], told["made_from"])
