"""On-disk formats: how each is recognised, loaded and saved, one file per format.

`recognise` says what a file is from its content, `load` reads it, `from_live` wraps a model that is
in memory already. Importing this package imports no framework.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from converter.record import Record
from converter.signature import Signature

__all__ = ["Source", "from_live", "load", "recognise"]


@dataclass
class Source:
    """A model, loaded from a file or handed over live.

    Attributes:
        framework: ``"torch"``, ``"tensorflow"`` or ``"onnx"``.
        kind: format name, or ``module``, ``keras_model``, ``tf_module``, ``tf_function``,
            ``onnx_model`` for live models.
        model: the live object (``None`` until a lazy format is loaded).
        path: where it came from, if from a file.
        signature: what the file itself says of its inputs and outputs, if anything.
        record: what Equiport wrote beside it, if Equiport made it.
        notes: what the user should know of how it was read.
    """

    framework: str
    kind: str
    model: Any
    path: Path | None = None
    signature: Signature | None = None
    record: Record | None = None
    notes: list[str] = field(default_factory=list)


def recognise(path: str | Path) -> ModuleType:
    """Return the format module that reads ``path``, from its content, without any framework.

    Raises:
        UnreadableModelError: nothing is there, it is empty or cut off, or it is no model.
    """
    from converter.formats.recognition import recognised

    return recognised(Path(path))


def load(path: str | Path, *, trust: bool = False, factory: str | None = None) -> Source:
    """Read a model from a file or a folder.

    Args:
        path: what to read.
        trust: allow files whose reading runs code that they carry.
        factory: ``"pkg.mod:function"``, called without arguments, builds the model that a bare
            weights file belongs to; formats that hold a whole model do not need it.

    Raises:
        UnreadableModelError: missing, empty, truncated, or not a known format.
        UntrustedModelError: reading it would run code, and ``trust`` is not given.
        UsageError: a factory is needed, or does not give a model.
        MissingFrameworkError: the file's framework is not installed.
    """
    source: Source = recognise(path).load(Path(path), trust=trust, factory=factory)
    return source


def from_live(model: Any) -> Source:
    """Wrap a live model.

    Args:
        model: an `nn.Module`, `ExportedProgram`, `ScriptModule`, Keras model, `tf.Module`, loaded
            SavedModel, `tf.function`, `onnx.ModelProto` or `onnx_ir.Model`.

    Raises:
        UsageError: it is none of these.
    """
    from converter.formats.live import wrapped

    return wrapped(model)
