"""Files in the words of Keras 2 are read as what they mean; what Keras 3 has not is named."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from converter import formats
from converter.errors import UnreadableModelError
from converter.formats.keras_two import modernised


def layers_of(config: dict[str, Any]) -> list[dict[str, Any]]:
    return config["config"]["layers"]


def in_words_of_keras_2(config: dict[str, Any], change: Callable | None = None) -> dict[str, Any]:
    """Return the configuration as Keras 2 wrote it."""
    first, *rest = layers_of(config)
    shape = first["config"].pop("batch_shape")
    first["config"]["batch_input_shape"] = shape
    rest[0]["config"]["batch_input_shape"] = shape
    for layer in rest:
        if layer["class_name"] in ("LSTM", "GRU"):
            layer["config"]["time_major"] = False
        if layer["class_name"] == "DepthwiseConv2D":
            layer["config"]["groups"] = 1
        if layer["class_name"] == "BatchNormalization":
            layer["config"]["axis"] = [layer["config"]["axis"]]
        if change is not None:
            change(layer)
    return config


def rewritten(path: Path, change: Callable | None = None) -> Path:
    """Rewrite the configuration in a file."""
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            config = in_words_of_keras_2(json.loads(file.attrs["model_config"]), change)
            file.attrs["model_config"] = json.dumps(config)
        return path
    target = path.with_stem(f"{path.stem}_2")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                content = json.dumps(in_words_of_keras_2(json.loads(content), change)).encode()
            new.writestr(name, content)
    return target


def recurrent() -> keras.Model:
    return keras.Sequential([keras.Input((4, 3)), keras.layers.LSTM(2), keras.layers.Dense(2)])


def convolutional() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((6, 6, 2)), layers.DepthwiseConv2D(3), layers.BatchNormalization()]
    )


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("build", [recurrent, convolutional])
def test_a_file_of_keras_2_gives_its_model(build: Callable, suffix: str, tmp_path: Path) -> None:
    model, path = build(), tmp_path / f"model{suffix}"
    model.save(path)
    path = rewritten(path)
    with pytest.raises((ValueError, TypeError)):
        keras.saving.load_model(path)  # Keras 3 itself
    data = np.random.default_rng().normal(size=(2, *model.input_shape[1:])).astype("f4")
    got = formats.load(path).model(data)
    np.testing.assert_allclose(got, model(data), rtol=1e-5, atol=1e-6)


def time_first(layer: dict[str, Any]) -> None:
    if layer["class_name"] == "LSTM":
        layer["config"]["time_major"] = True


def plain_call(layer: dict[str, Any]) -> None:
    if layer["class_name"] == "Dense":
        layer |= {
            "class_name": "TFOpLambda",
            "config": {"name": "tf.nn.relu", "function": "nn.relu"},
        }


@pytest.mark.parametrize(
    ("change", "words"),
    [(time_first, "'lstm.*time_major=True"), (plain_call, "'tf.nn.relu'.*TFOpLambda nn.relu")],
)
def test_what_keras_3_has_not_is_named(change: Callable, words: str, tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    recurrent().save(path)
    with pytest.raises(UnreadableModelError, match=words) as caught:
        formats.load(rewritten(path, change))
    assert "SavedModel" in caught.value.hint


def test_a_file_of_keras_3_is_left_alone(tmp_path: Path) -> None:
    recurrent().save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        config = json.loads(archive.read("config.json"))
    assert modernised(tmp_path, config) == config
