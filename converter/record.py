"""What is written beside an artifact: its signature, and how each weight is stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from converter.signature import Signature

FILE_NAME = "equiport.json"
"""In a SavedModel it lies in ``assets.extra/``, in a PyTorch artifact beside ``model.pt2``."""

VERSION = 1


@dataclass(frozen=True)
class Weight:
    """One parameter or buffer of the source in the target.

    Attributes:
        role: ``"parameter"`` (trainable) or ``"buffer"``.
        permutation: how it is stored, ``stored = source.transpose(permutation)``; ``None``: as it
            was.
        held_as: its name in the target, where that has no place for the source's.
    """

    role: str
    permutation: tuple[int, ...] | None = None
    held_as: str | None = None


@dataclass(frozen=True)
class Record:
    """What one artifact says of itself.

    Attributes:
        signature: inputs and outputs of the artifact.
        weights: weights by their names in the source.
        source_framework: ``"torch"``, ``"tensorflow"`` or ``"onnx"``.
        engine: ``"native"`` or ``"onnx2tf"``.
        purpose: ``"inference"`` or ``"training"``.
    """

    signature: Signature
    weights: Mapping[str, Weight] = field(default_factory=dict)
    source_framework: str = "onnx"
    engine: str = "native"
    purpose: str = "inference"

    def to_json(self) -> dict[str, Any]:
        """Return plain data that `from_json` reads back."""
        return {
            "equiport": VERSION,
            "source_framework": self.source_framework,
            "engine": self.engine,
            "purpose": self.purpose,
            "signature": self.signature.to_json(),
            "weights": {
                name: {"role": weight.role}
                | ({"permutation": weight.permutation} if weight.permutation else {})
                | ({"held_as": weight.held_as} if weight.held_as else {})
                for name, weight in self.weights.items()
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Record:
        """Read what `to_json` wrote."""
        weights = {
            name: Weight(
                item["role"],
                tuple(item["permutation"]) if "permutation" in item else None,
                item.get("held_as"),
            )
            for name, item in data["weights"].items()
        }
        return cls(
            Signature.from_json(data["signature"]),
            weights,
            data["source_framework"],
            data["engine"],
            data["purpose"],
        )

    def write(self, path: Path) -> None:
        """Write it as JSON; the same record gives the same bytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_json(), indent=1) + "\n")


def read(path: Path) -> Record | None:
    """Return the record in a file, ``None`` if there is no such file."""
    if not path.is_file():
        return None
    return Record.from_json(json.loads(path.read_text()))
