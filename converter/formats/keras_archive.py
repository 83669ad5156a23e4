"""Keras 3 archives (`.keras`): a zip of the configuration and the weights."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from converter.errors import UnreadableModelError, UntrustedModelError, UsageError
from converter.formats import Source
from converter.formats.content import member, members
from converter.formats.factory import build
from converter.formats.keras_two import modernised
from converter.formats.reading import framework, one_line, reading
from converter.formats.writing import writing
from converter.record import Record
from converter.temporary import TemporaryFolder

NAME = "keras_archive"
FRAMEWORK = "tensorflow"

CONFIG = "config.json"
OWN_CLASS = "equiport>ConvertedModel"
"""Registered name of the class in archives that Equiport wrote."""


def recognise(path: Path) -> bool:
    """Tell it by the configuration beside metadata or weights."""
    names = members(path)
    return CONFIG in names and ("metadata.json" in names or "model.weights.h5" in names)


def load(path: Path, *, trust: bool, factory: str | None) -> Source:
    """Load the model, or with a factory its weights into the factory's model.

    Raises:
        UntrustedModelError: the configuration carries Python code (a Lambda layer), and ``trust``
            is not given.
        UnreadableModelError: the archive is damaged, or needs classes that are not registered.
    """
    config = configuration(path)
    own = config.get("registered_name") == OWN_CLASS
    if factory is not None and not own:
        return with_factory(path, NAME, factory, ".keras")
    if not trust:
        refuse_code(path, config)
    keras = keras_on_tensorflow("a .keras archive")
    if own:
        framework("converter.formats.keras_model", "a .keras archive of Equiport")
    with in_keras_3(path, config) as file, reading(path, "a Keras model", CLASSES):
        model = keras.saving.load_model(str(file), compile=False, safe_mode=not trust)
    return of_model(path, NAME, model)


@contextmanager
def in_keras_3(path: Path, config: dict[str, Any]) -> Iterator[Path]:
    """Give an archive that Keras 3 reads: the file itself, or a copy in the words of Keras 3.

    Raises:
        UnreadableModelError: Keras 2 wrote something that Keras 3 has no words for.
    """
    modern = modernised(path, config)
    if modern == config:
        with ending(path, ".keras") as file:
            yield file
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(file, "w") as target:
            for name in source.namelist():
                if name == CONFIG:
                    target.writestr(name, json.dumps(modern))
                    continue
                with source.open(name) as content, target.open(name, "w", force_zip64=True) as copy:
                    shutil.copyfileobj(content, copy, 1 << 20)
        yield file


CLASSES = (
    "It is damaged, or has classes of its own: then --model package.module:function (factory= in "
    "Python) builds the model, and the file gives its weights."
)


def configuration(path: Path) -> dict[str, Any]:
    """Return the archive's configuration.

    Raises:
        UnreadableModelError: it is no JSON object.
    """
    try:
        config = json.loads(member(path, CONFIG))
    except ValueError as error:
        raise UnreadableModelError(
            f"{path} has a damaged {CONFIG}: {error}", hint="Copy or download it again."
        ) from error
    if not isinstance(config, dict):
        raise UnreadableModelError(f"{path}: {CONFIG} describes no model")
    return config


def refuse_code(path: Path, config: Any) -> None:
    """Refuse a configuration with Python code in it.

    Raises:
        UntrustedModelError: names the layers.
    """
    layers = sorted(set(code_in(config)))
    if layers:
        raise UntrustedModelError(
            f"{path} carries Python code in {', '.join(layers)}",
            hint="If you trust whoever made it, add --trust (trust=True in Python). Better: "
            "replace the Lambda by a layer of keras.ops.",
        )


def code_in(config: Any) -> Iterator[str]:
    """Yield a name for each layer whose configuration holds Python bytecode."""
    if isinstance(config, dict):
        inner = config.get("config")
        name = inner.get("name") if isinstance(inner, dict) else None
        if config.get("class_name") == "Lambda":
            yield f"the Lambda layer {name!r}"
        elif config.get("class_name") == "__lambda__":
            yield "a lambda function"
        for value in config.values():
            yield from code_in(value)
    elif isinstance(config, list):
        for value in config:
            yield from code_in(value)


def keras_on_tensorflow(what: str) -> Any:
    """Import Keras on its TensorFlow backend.

    Raises:
        UsageError: Keras is imported already, and runs on another backend.
    """
    import os

    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    framework("tensorflow", what)
    keras = framework("keras", what)
    framework("converter.formats.tensorflow_signature", what)
    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            f"Keras runs on {keras.backend.backend()} here, and {what} needs TensorFlow",
            hint="Set the environment variable KERAS_BACKEND=tensorflow.",
        )
    return keras


@contextmanager
def ending(path: Path, suffix: str) -> Iterator[Path]:
    """Give the file under a name with the ending that Keras takes for the format."""
    if path.name.endswith(suffix):
        yield path
        return
    with TemporaryFolder() as folder:
        link = folder / f"model{suffix}"
        try:
            link.symlink_to(path.absolute())
        except (OSError, NotImplementedError):  # a system without links
            shutil.copyfile(path, link)
        yield link


def with_factory(path: Path, kind: str, factory: str, suffix: str) -> Source:
    """Build the model with the factory and load the file's weights into it.

    Args:
        suffix: the ending by which Keras tells the format of the weights.

    Raises:
        UsageError: the factory fails, or the weights do not fit what it builds.
    """
    keras = keras_on_tensorflow("weights for a Keras model")
    with reading(path, "weights of a Keras model"):
        model = build(factory, keras.Model, "a keras.Model")
    if not model.built:
        raise UsageError(
            f"the model that {factory} builds has no weights yet",
            hint="Call it once on data, or model.build(shape), before the factory returns it.",
        )
    try:
        with reading(path, "weights of a Keras model"), ending(path, suffix) as file:
            model.load_weights(str(file))
    except UnreadableModelError as error:
        cause = error.__cause__
        if not isinstance(cause, ValueError):
            raise
        raise UsageError(
            f"the weights in {path} do not fit the model that {factory} builds: {one_line(cause)}",
            hint="Build the model with the settings that it was trained with.",
        ) from cause
    return of_model(path, kind, model)


def of_model(path: Path, kind: str, model: Any) -> Source:
    """Wrap a loaded model with what it says of itself."""
    from converter.formats.tensorflow_signature import keras_signature

    record = getattr(model, "record", None)
    signature = record.signature if record is not None else keras_signature(model)
    return Source(FRAMEWORK, kind, model, path, signature, record)


def save(graph: Any, module: Any, path: Path, record: Record) -> None:
    """Write a `.keras` archive; the same graph gives the same bytes.

    Args:
        graph: the `onnx_ir.Model` that ``module`` was built from.
        module: its `converter.rebuild.tensorflow.module.ConvertedModule`; left as it is.
        path: the file to write; what is above it exists.

    Raises:
        ConversionError: a weight has a type that Keras has no variables for.
        OutputError: the disk is full or cannot be written.
    """
    import copy

    keras = keras_on_tensorflow("a .keras archive")
    from converter.formats.keras_model import ConvertedModel

    model = ConvertedModel.from_graph(graph, record, copy.copy(module))
    with writing(path), tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
        draft = Path(folder) / "model.keras"
        keras.saving.save_model(model, str(draft))
        without_dates(draft, path)


def without_dates(draft: Path, path: Path) -> None:
    """Copy an archive without the times at which its members were written."""
    with zipfile.ZipFile(draft) as source, zipfile.ZipFile(path, "w") as target:
        for name in sorted(source.namelist()):
            member = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            if name == "metadata.json":
                metadata = json.loads(source.read(name))
                metadata.pop("date_saved", None)
                target.writestr(member, json.dumps(metadata))
                continue
            with source.open(name) as content, target.open(member, "w", force_zip64=True) as copy:
                shutil.copyfileobj(content, copy, 1 << 20)
