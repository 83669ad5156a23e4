"""Trace and rebuild in the interpreters that the user names: this side of the border.

The interpreter that runs this needs neither framework.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.declared import axes_of, text_of
from converter.errors import UsageError
from converter.formats import Source
from converter.progress import Progress
from converter.signature import Signature
from converter.stages.process import carried_out
from converter.temporary import TemporaryFolder

if TYPE_CHECKING:
    import onnx_ir as ir

    from converter.pipeline import Conversion, Options

CROSSING = ("to", "purpose", "layout", "trust", "factory", "keep_paths")
"""Options that mean something in the other interpreter; all of them are plain data."""


def interpreter(framework: str, options: Options) -> str | None:
    """Return the interpreter that was named for a framework, ``None``: this one."""
    return {"torch": options.python_torch, "tensorflow": options.python_tf}.get(framework)


def source_interpreter(model: Any, options: Options) -> str | None:
    """Return the interpreter that is to load and trace a model; a live one is traced here."""
    if not isinstance(model, str | Path):
        return None
    from converter.formats import recognise

    return interpreter(recognise(model).FRAMEWORK, options)


def trace(
    python: str, path: str | Path, inputs: Any, dynamic: Mapping[str, Any] | None,
    options: Options, progress: Progress,
) -> tuple[Source, ir.Model, Signature]:  # fmt: skip
    """Load and trace a file in another interpreter.

    Args:
        inputs: ``None``, ``--input`` texts, or a `Signature`.

    Returns:
        The source without its model, the graph, and its signature.

    Raises:
        UsageError: ``inputs`` are example tensors.
        EquiportError: see `converter.stages.process.carried_out`.
    """
    kept = ExitStack()
    folder = kept.enter_context(TemporaryFolder())
    file = folder / "traced.onnx"
    job = {
        "stage": "trace",
        "path": str(Path(path).absolute()),
        "graph": str(file),
        "inputs": described(inputs),
        "dynamic": {
            name: [
                (axis, text_of(dim, name, axis)) for axis, dim in axes_of(dims) if dim is not None
            ]
            for name, dims in (dynamic or {}).items()
        },
        "options": crossing(options),
    }
    with kept:
        from converter.stages import graph as graphs

        answer = carried_out(python, job, folder, progress)
        graph = graphs.read(file)
        # Large weights stay in the file: it goes when the graph goes.
        weakref.finalize(graph, kept.pop_all().close)
    own = answer["source_signature"]
    source = Source(
        answer["framework"], answer["kind"], None, Path(path),
        Signature.from_json(own) if own is not None else None,
    )  # fmt: skip
    return source, graph, Signature.from_json(answer["signature"])


def require(python: str, packages: tuple[str, ...], what: str) -> None:
    """Refuse to start where another interpreter lacks a package; see `requirements.require`.

    Raises:
        MissingFrameworkError: names the first that is missing, and the interpreter.
        UsageError: the interpreter cannot be started.
    """
    job = {"stage": "check", "packages": packages, "what": what}
    with TemporaryFolder() as folder:
        carried_out(python, job, folder, Progress())


def described(inputs: Any) -> Any:
    """Return ``inputs`` as plain data.

    Raises:
        UsageError: they are example tensors.
    """
    if inputs is None:
        return None
    if isinstance(inputs, Signature):
        return inputs.to_json()
    texts = [inputs] if isinstance(inputs, str) else list(inputs)
    if not all(isinstance(text, str) for text in texts):
        raise UsageError(
            "example tensors do not cross to another interpreter",
            hint="Describe the inputs with texts such as 'x:float32[batch,3,224,224]'.",
        )
    return texts


def crossing(options: Options) -> dict[str, Any]:
    """Return the options that the other interpreter gets."""
    crossing = {name: getattr(options, name) for name in CROSSING}
    return crossing | {"elsewhere": True}


class Engine:
    """Rebuilds in another interpreter; has the face of `converter.engines.native`."""

    def __init__(self, python: str) -> None:
        self.python = python

    def rebuild(
        self, source: Source, graph: ir.Model, signature: Signature, path: Path | None,
        options: Options, progress: Progress,
    ) -> Conversion:  # fmt: skip
        """Rebuild and save; the target lives in its file alone.

        Raises:
            UsageError: there is no ``path``.
            EquiportError: see `converter.stages.process.carried_out`.
        """
        from converter.pipeline import Conversion
        from converter.stages import graph as graphs

        if path is None:
            raise UsageError(
                "a target that is built in another interpreter needs output=",
                hint="Say where to write it, or leave out the interpreter.",
            )
        with TemporaryFolder() as folder:
            file = folder / "rewritten.onnx"
            graphs.write(graph, file, signature, source.framework)
            job = {
                "stage": "rebuild",
                "graph": str(file),
                "output": str(path.absolute()),
                "signature": signature.to_json(),
                "framework": source.framework,
                "options": crossing(options),
            }
            answer = carried_out(self.python, job, folder, progress)
        result = Conversion(None, None, None, graph, Signature.from_json(answer["signature"]))
        result.notes += answer["notes"]
        return result
