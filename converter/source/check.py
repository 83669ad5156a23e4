"""The written module is held against the live target before it is handed over."""

from __future__ import annotations

import tempfile
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import onnx_ir as ir

from converter.errors import EquiportError, VerificationFailed
from converter.formats.reading import one_line
from converter.signature import Signature
from converter.source.errors import NotWritable
from converter.source.running import imported
from converter.source.written import Written


def check(
    written: Written, module: Any, graph: ir.Model, signature: Signature, framework: str
) -> Any:
    """Compare a written module, loaded from its files, with the live target by `verify.verify`.

    Returns:
        The live written module.

    Args:
        module: the live target.
        graph: what both were made from; the noise of its arithmetic is measured.

    Raises:
        VerificationFailed: they do not agree.
    """
    from verify import verify

    with tempfile.TemporaryDirectory(prefix="equiport-") as folder:
        try:
            saving_of(framework).save(written, Path(folder))
            model = loaded(Path(folder), framework)
        except EquiportError:
            raise
        except Exception as error:  # whatever the framework says to a module that does not hold
            reason = f"the written module does not load: {one_line(error)}"
            raise NotWritable(reason) from error
        report = verify(module, model, signature=signature, graph=graph)
    if not report.passed:
        raise VerificationFailed(
            "the written source does not do what the converted model does",
            report=report,
            hint="This is a defect of Equiport; leave --source out (source= in Python).",
        )
    return model


def loaded(folder: Path, framework: str = "torch") -> Any:
    """Return the model of a folder with ``model.py``, by its own ``load``."""
    saving = saving_of(framework)
    return imported(folder / saving.MODULE).load(folder / saving.WEIGHTS)


def saving_of(framework: str) -> ModuleType:
    """Return what saves a written module of a framework, ``torch`` or ``keras``."""
    room = {"torch": "pytorch", "keras": "keras"}[framework]
    return import_module(f"converter.source.{room}.saving")
