"""Which format a file has, from its content; its ending decides nothing but the message."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from converter.errors import UnreadableModelError
from converter.formats.content import UNKNOWN, described
from converter.suggestions import neighbour

FORMATS = (
    "written_module",
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
    "folders, .keras, .h5 and .onnx; .tflite files it runs and verifies, but cannot convert."
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
    said = advice(path)
    reason = "" if said and found == UNKNOWN else f": it is {found}"
    raise UnreadableModelError(f"{path} is no model{reason}", hint=said or READABLE)


def check_present(path: Path) -> None:
    """Refuse what is not there, and empty files."""
    from converter.formats.saved_model import folder_of

    if not path.exists() and not folder_of(path).exists():
        if found := checkpoint_files(path):
            raise UnreadableModelError(
                f"{path} is a TensorFlow checkpoint, variables without a model: {', '.join(found)}",
                hint=CHECKPOINT,
            )
        hint = neighbour(path) or "Check the path."
        if path.is_symlink():
            hint = f"It is a link to {path.readlink()}, which does not exist."
        raise UnreadableModelError(f"{path} does not exist", hint=hint)
    if path.is_file() and path.stat().st_size == 0:
        raise UnreadableModelError(f"{path} is empty", hint="Copy or download it again.")


CHECKPOINT = (
    "Build its model in TensorFlow, load the checkpoint into it and save it with "
    "tf.saved_model.save (TensorFlow 1: simple_save after Saver.restore); give that folder."
)

GRAPH = (
    "Load it in TensorFlow (tf.compat.v1.import_graph_def), wrap inputs and outputs "
    "(tf.compat.v1.wrap_function, prune) and save that with tf.saved_model.save; give that folder."
)


def checkpoint_files(path: Path) -> list[str]:
    """Return the files of a checkpoint that goes by a prefix, e.g. ``model.ckpt-100``."""
    if not path.parent.is_dir():
        return []
    names = sorted(item.name for item in path.parent.iterdir())
    parts = (f"{path.name}.index", f"{path.name}.meta", f"{path.name}.data-")
    return [name for name in names if name.startswith(parts)]


def advice(path: Path) -> str | None:
    """Say what a neighbour of a model, or a model that is cut off, probably is."""
    if path.is_file() and (path.suffix == ".index" or ".data-" in path.name):
        return f"It is a part of a TensorFlow checkpoint, which has no model. {CHECKPOINT}"
    if path.is_file() and path.suffix == ".meta":
        return f"It is the graph of a TensorFlow 1 checkpoint, for training. {CHECKPOINT}"
    if path.is_file() and path.suffix == ".pb":
        return f"It may be a frozen TensorFlow 1 graph, which does not name its inputs. {GRAPH}"
    if path.suffix == ".onnx":
        return "It ends in .onnx, but has no ONNX graph: copy or download it again."
    if path.name == "saved_model.pbtxt":
        return "Give the folder that it lies in."
    if path.is_dir() and (path / "variables").is_dir():
        return "A SavedModel has a saved_model.pb beside its variables; that file is missing."
    if path.is_dir() and (path / "checkpoint").is_file():
        return f"It is a folder of TensorFlow checkpoints, which have no model. {CHECKPOINT}"
    return None
