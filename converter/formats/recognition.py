"""Which format a file has, from its content; its ending decides nothing but the message."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from converter.errors import UnreadableModelError
from converter.formats.content import described
from converter.suggestions import neighbour

FORMATS = (
    "torch_artifact",
    "saved_model",
    "exported_program",
    "torchscript",
    "keras_archive",
    "state_dict",
    "torch_pickle",
    "safetensors",
    "keras_h5",
    "tflite",
    "onnx_file",
)
"""Names of the modules of this folder; asked in this order."""

READABLE = (
    "Equiport reads .pt2, TorchScript, PyTorch pickles and weights, .safetensors, SavedModel "
    "folders, .keras, .h5, .tflite and .onnx."
)


def format_module(name: str) -> ModuleType:
    """Import the module of one format; it imports no framework."""
    return import_module(f"converter.formats.{name}")


def recognised(path: Path) -> ModuleType:
    """Return the format module that reads ``path``.

    Raises:
        UnreadableModelError: nothing is there, it is empty or cut off, or it is no model.
    """
    try:
        check_present(path)
        for name in FORMATS:
            module = format_module(name)
            if module.recognise(path):
                return module
        found = described(path)
    except OSError as error:
        raise UnreadableModelError(
            f"{path} cannot be read: {error.strerror or error}",
            hint="Check that it is a file or a folder that you may read.",
        ) from error
    raise UnreadableModelError(f"{path} is no model: it is {found}", hint=advice(path) or READABLE)


def check_present(path: Path) -> None:
    """Refuse what is not there, and empty files."""
    if not path.exists():
        hint = neighbour(path) or "Check the path."
        if path.is_symlink():
            hint = f"It is a link to {path.readlink()}, which does not exist."
        raise UnreadableModelError(f"{path} does not exist", hint=hint)
    if path.is_file() and path.stat().st_size == 0:
        raise UnreadableModelError(f"{path} is empty", hint="Copy or download it again.")


def advice(path: Path) -> str | None:
    """Say what a neighbour of a model, or a model that is cut off, probably is."""
    if path.suffix == ".onnx":
        return "It ends in .onnx, but has no ONNX graph: copy or download it again."
    if path.name == "saved_model.pbtxt":
        return "Give the folder that it lies in."
    if path.is_dir() and (path / "variables").is_dir():
        return "A SavedModel has a saved_model.pb beside its variables; that file is missing."
    if path.is_dir() and (path / "checkpoint").is_file():
        return "This is a checkpoint: load it into its model, and give a SavedModel of that."
    return None
