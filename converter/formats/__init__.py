"""On-disk formats: how each is recognised, loaded and saved, one file per format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.record import Record
from converter.signature import Signature

__all__ = ["Source"]


@dataclass
class Source:
    """A model, loaded from a file or handed over live.

    Attributes:
        framework: ``"torch"``, ``"tensorflow"`` or ``"onnx"``.
        kind: format name, or ``module``, ``keras_model``, ``tf_module``, ``tf_function`` for live models.
        model: the live object (``None`` until a lazy format is loaded).
        path: where it came from, if from a file.
        signature: what the file itself says of its inputs and outputs, if anything.
        record: what Equiport wrote beside it, if Equiport made it.
    """

    framework: str
    kind: str
    model: Any
    path: Path | None = None
    signature: Signature | None = None
    record: Record | None = None
