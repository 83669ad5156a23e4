"""The written module is held against the live target before it is handed over."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import onnx_ir as ir

from converter.errors import VerificationFailed
from converter.signature import Signature
from converter.source.pytorch.saving import MODULE, save
from converter.source.written import Written


def check(written: Written, module: Any, graph: ir.Model, signature: Signature) -> None:
    """Compare a written module, loaded from its files, with the live target by `verify.verify`.

    Args:
        graph: what both were made from; the noise of its arithmetic is measured.

    Raises:
        VerificationFailed: they do not agree.
    """
    from verify import verify

    with tempfile.TemporaryDirectory(prefix="equiport-") as folder:
        save(written, Path(folder))
        report = verify(module, loaded(Path(folder)), signature=signature, graph=graph)
    if not report.passed:
        raise VerificationFailed(
            "the written source does not do what the converted model does",
            report=report,
            hint="This is a defect of Equiport; leave --source out (source= in Python).",
        )


def loaded(folder: Path) -> Any:
    """Return the model of a folder with ``model.py``, by its own ``load``."""
    spec = importlib.util.spec_from_file_location("written_model", folder / MODULE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(folder / "model.safetensors")
