"""Configurations that Keras 2 wrote, in the words of Keras 3; both mean the same model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converter.errors import UnreadableModelError

_GROUPED = frozenset({"Conv1D", "Conv2D", "Conv3D"})
"""Layers that take ``groups`` in Keras 3; Keras 2 wrote it for all convolutions."""

_OPERATORS = frozenset({"TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"})
"""Layers that Keras 2 made of plain calls of TensorFlow."""

_SAVE_A_FOLDER = (
    "Load it in Keras 2 (tf_keras) and save it with model.export(folder) or model.save(folder): "
    "Equiport reads SavedModel folders of Keras 2."
)


def modernised(path: Path, config: Any) -> Any:
    """Return a configuration that Keras 3 reads; an equal one where nothing is of Keras 2.

    Raises:
        UnreadableModelError: a layer or an option has no counterpart in Keras 3; names it.
    """
    return without_marks(_modernised(path, config))


def _modernised(path: Path, config: Any) -> Any:
    if isinstance(config, list):
        return [_modernised(path, item) for item in config]
    if not isinstance(config, dict):
        return config
    result = {key: _modernised(path, value) for key, value in config.items()}
    kind, options = result.get("class_name"), result.get("config")
    if isinstance(kind, str) and isinstance(options, dict):
        refuse(path, kind, options)
        result["config"] = layer(kind, options)
    return result


def refuse(path: Path, kind: str, options: dict[str, Any]) -> None:
    """Refuse what Keras 3 has no words for."""
    name = options.get("name")
    if kind in _OPERATORS:
        raise UnreadableModelError(
            f"{path} is a model of Keras 2 whose layer {name!r} is a plain call of TensorFlow "
            f"({kind} {options.get('function') or ''}), which Keras 3 cannot read".replace(
                " )", ")"
            ),
            hint=_SAVE_A_FOLDER,
        )
    if options.get("time_major"):
        raise UnreadableModelError(
            f"{path} is a model of Keras 2 whose layer {name!r} takes time before batch "
            "(time_major=True), which Keras 3 has not",
            hint=_SAVE_A_FOLDER,
        )


def layer(kind: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return a layer's options in the words of Keras 3."""
    options = dict(options)
    options.pop("time_major", None)
    if kind not in _GROUPED and options.get("groups") == 1:
        del options["groups"]
    axis = options.get("axis")
    if kind.endswith("BatchNormalization") and isinstance(axis, list) and len(axis) == 1:
        options["axis"] = axis[0]
    shape = options.pop("batch_input_shape", None)
    if kind == "InputLayer" and shape is not None:
        options["batch_shape"] = shape
    if kind == "Sequential":
        options["layers"] = with_input(options.get("layers"), shape)
    elif kind != "InputLayer" and shape is not None:
        options[_SHAPE] = shape  # for the sequence around it
    return options


_SHAPE = "equiport_input_shape"


def with_input(layers: Any, shape: Any) -> Any:
    """Put the shape of the first layer's input into a layer of its own, as Keras 3 writes it."""
    if not isinstance(layers, list) or not layers:
        return layers
    own = [item["config"].get(_SHAPE) for item in layers if isinstance(item.get("config"), dict)]
    if layers[0].get("class_name") == "InputLayer" or not own or (own[0] or shape) is None:
        return layers
    options = {"batch_shape": own[0] or shape, "name": f"{layers[0]['config'].get('name')}_input"}
    dtype = layers[0]["config"].get("dtype")
    if layers[0].get("class_name") == "Embedding":
        options["dtype"] = "float32"  # what Keras 2 feeds it
    elif isinstance(dtype, str):
        options["dtype"] = dtype
    first = {
        "module": "keras.layers",
        "class_name": "InputLayer",
        "config": options,
        "registered_name": None,
    }
    return [first, *layers]


def without_marks(config: Any) -> Any:
    """Take out what `layer` left for the sequence around it."""
    if isinstance(config, list):
        return [without_marks(item) for item in config]
    if isinstance(config, dict):
        return {key: without_marks(value) for key, value in config.items() if key != _SHAPE}
    return config
