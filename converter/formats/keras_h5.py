"""HDF5 files of Keras: a whole model (`.h5`), or its weights alone (`.weights.h5`)."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from converter.errors import UnreadableModelError
from converter.formats import Source
from converter.formats.content import head
from converter.formats.factory import needed
from converter.formats.keras_archive import (
    CLASSES,
    ending,
    keras_on_tensorflow,
    of_model,
    refuse_code,
    with_factory,
)
from converter.formats.keras_two import modernised
from converter.formats.reading import framework, reading

NAME = "keras_h5"
FRAMEWORK = "tensorflow"

MAGIC = b"\x89HDF\r\n\x1a\n"
_OF_KERAS = frozenset({"layers", "_layer_checkpoint_dependencies", "vars"})
"""Groups at the top of the weights that Keras writes."""


def recognise(path: Path) -> bool:
    """Tell HDF5 by its magic number; whether Keras wrote it shows when it is read."""
    return head(path, len(MAGIC)) == MAGIC


def load(path: Path, *, trust: bool, factory: str | None) -> Source:
    """Load the model, or with a factory its weights into the factory's model.

    Raises:
        UsageError: the file holds weights alone and there is no factory, or they do not fit.
        UntrustedModelError: it has a Lambda layer, and ``trust`` is not given.
        UnreadableModelError: the file is damaged, or Keras did not write it.
    """
    config, suffix = configuration(path)
    if factory is not None:
        return with_factory(path, NAME, factory, suffix)
    if config is None:
        raise needed(path, "the weights of a Keras model")
    if not trust:
        refuse_code(path, config)
    keras = keras_on_tensorflow("a Keras .h5 file")
    with in_keras_3(path, config, suffix) as file, reading(path, "a Keras model", CLASSES):
        model = keras.saving.load_model(str(file), compile=False, safe_mode=not trust)
    return of_model(path, NAME, model)


@contextmanager
def in_keras_3(path: Path, config: dict[str, Any], suffix: str) -> Iterator[Path]:
    """Give a file that Keras 3 reads: the file itself, or a copy in the words of Keras 3.

    Raises:
        UnreadableModelError: Keras 2 wrote something that Keras 3 has no words for.
    """
    modern = modernised(path, config)
    if modern == config:
        with ending(path, suffix) as file:
            yield file
        return
    h5py = framework("h5py", "an HDF5 file")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"model{suffix}"
        with h5py.File(file, "w") as target, h5py.File(path, "r") as source:
            for name in ("keras_version", "backend"):
                if name in source.attrs:
                    target.attrs[name] = source.attrs[name]
            target.attrs["model_config"] = json.dumps(modern).encode()
            source.copy("model_weights", target)
        yield file


def configuration(path: Path) -> tuple[dict[str, Any] | None, str]:
    """Return the model's configuration, ``None`` if the file holds weights alone.

    Also returns the ending by which Keras tells this layout of the file.

    Raises:
        UnreadableModelError: it is damaged, or Keras did not write it.
    """
    h5py = framework("h5py", "an HDF5 file")
    with reading(path, "an HDF5 file"), h5py.File(path, "r") as file:
        text = file.attrs.get("model_config")
        groups = set(file)
        if text is not None:
            return json.loads(text), ".h5"
        if "layer_names" in file.attrs:
            return None, ".h5"
        if groups & _OF_KERAS:
            return None, ".weights.h5"
    shown = ", ".join(sorted(groups)[:5]) or "nothing"
    raise UnreadableModelError(
        f"{path} is an HDF5 file that Keras did not write: it has {shown}",
        hint="Equiport reads what model.save() and model.save_weights() write.",
    )
