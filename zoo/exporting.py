"""Write a model of the zoo to a file, as its own framework saves it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from converter.errors import TraceError, UsageError
from converter.formats.staged import publish, refuse_existing, staged, swept
from zoo.entry import Entry, Side
from zoo.loading import load
from zoo.registry import get

SUFFIXES = {"torch": (".pt2", ".pt"), "tf": (".keras",)}
"""``.pt2`` is an exported program with the entry's dynamic dimensions, ``.pt`` a ``state_dict``."""


def default_path(entry: Entry, framework: str) -> Path:
    """Return where the model goes if nobody says: in the present folder, under its name."""
    suffix = ".pt" if entry.side(framework).weights_only else SUFFIXES[framework][0]
    return Path(entry.name + suffix)


def export(name: str, framework: str, path: Path | None = None) -> Path:
    """Write a model; its ending decides the form. Returns the path.

    Raises:
        UsageError: no such entry, not in that framework, or the ending is not one of its.
        OutputError: the path exists or cannot be written.
        TraceError: PyTorch cannot export it with its dynamic dimensions.
        MissingFrameworkError: a package that it needs is not installed.
    """
    entry = get(name)
    side = entry.side(framework)
    path = default_path(entry, framework) if path is None else path
    if path.suffix not in SUFFIXES[framework]:
        raise UsageError(
            f"{path} ends in {path.suffix or 'nothing'!r}",
            hint=f"A {framework} model is written to: {', '.join(SUFFIXES[framework])}.",
        )
    swept(path)
    refuse_existing(path)
    model = load(name, framework)
    with staged(path) as temporary:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        if framework == "tf":
            model.save(temporary)
        elif path.suffix == ".pt":
            save_state_dict(model, temporary)
        else:
            save_program(model, side, temporary)
        publish(temporary, path)
    return path


def save_state_dict(model: Any, path: Path) -> None:
    """Write the weights of a PyTorch module."""
    import torch

    torch.save(model.state_dict(), path)


def save_program(model: Any, side: Side, path: Path) -> None:
    """Write a PyTorch module as an exported program."""
    import torch

    from converter.trace.pytorch.causes import as_trace_error
    from converter.trace.pytorch.examples import from_signature
    from converter.trace.pytorch.open_sizes import export_module
    from converter.trace.pytorch.trace import quiet

    if side.weights_only:
        raise TraceError(
            "PyTorch's own export fixes the length of a recurrent model",
            hint="Write its weights instead: choose a path that ends in .pt.",
        )
    with quiet():
        try:
            program = export_module(model, from_signature(model, side.signature))
        except Exception as error:
            raise as_trace_error(error) from error
        torch.export.save(program, path)


def convert_command(entry: Entry, framework: str, path: Path) -> str:
    """Return the command line that converts what `export` wrote."""
    side = entry.side(framework)
    words = ["convert", str(path), "--to", "tf" if framework == "torch" else "torch"]
    if path.suffix == ".pt" or side.own_classes:
        words += ["--model", side.build]
    if path.suffix == ".pt":
        words += [word for text in side.inputs for word in ("--input", text)]
    return shlex.join(words)
