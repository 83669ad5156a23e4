"""Live models of every kind are told apart, and a framework that is missing is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from converter import formats
from converter.errors import MissingFrameworkError, UsageError


def module() -> Any:
    from torch import nn

    return nn.Linear(4, 3)


def program() -> Any:
    import torch

    return torch.export.export(module(), (torch.randn(2, 4),))


def script() -> Any:
    import torch

    return torch.jit.script(module())


def keras_model() -> Any:
    from tests.converter.formats.keras_models import classifier

    return classifier()


def keras_layer() -> Any:
    import keras

    return keras.layers.Dense(3)


def tf_module() -> Any:
    import tensorflow as tf

    return tf.Module()


def tf_function() -> Any:
    import tensorflow as tf

    return tf.function(lambda x: x, input_signature=[tf.TensorSpec([None], tf.float32)])


def concrete_function() -> Any:
    return tf_function().get_concrete_function()


def graph() -> Any:
    from tests.converter.formats.onnx_models import linear

    return linear()


def proto() -> Any:
    import onnx_ir as ir

    return ir.serde.serialize_model(graph())


KINDS: dict[Callable[[], Any], tuple[str, str, bool]] = {
    module: ("torch", "module", False),
    program: ("torch", "exported_program", True),
    script: ("torch", "torchscript", False),
    keras_model: ("tensorflow", "keras_model", True),
    keras_layer: ("tensorflow", "keras_model", False),
    tf_module: ("tensorflow", "tf_module", False),
    tf_function: ("tensorflow", "tf_function", False),
    concrete_function: ("tensorflow", "tf_function", False),
    graph: ("onnx", "onnx_model", True),
    proto: ("onnx", "onnx_model", True),
}


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_live_models(make: Callable[[], Any]) -> None:
    framework, kind, says = KINDS[make]
    source = formats.from_live(make())
    assert (source.framework, source.kind, source.path) == (framework, kind, None)
    assert (source.signature is not None) is says


def test_a_loaded_saved_model(keras_files: Path) -> None:
    import tensorflow as tf

    source = formats.from_live(tf.saved_model.load(str(keras_files / "saved_model")))
    assert source.kind == "saved_model"
    assert {spec.name for spec in source.signature.inputs} == {"x", "words"}


@pytest.mark.parametrize("thing", [7, None, {"weights": 1}, object(), len, int])
def test_what_is_no_model(thing: Any) -> None:
    with pytest.raises(UsageError, match="is no model") as caught:
        formats.from_live(thing)
    assert "nn.Module" in caught.value.hint


def test_telling_imports_no_framework() -> None:
    code = (
        "import sys; from converter import formats\n"
        "try: formats.from_live(7)\n"
        "except Exception as error: assert type(error).__name__ == 'UsageError'\n"
        "assert not {'torch', 'tensorflow', 'keras', 'onnx_ir'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


NEEDS = {
    "program.pt2": ("torch", "torch"),
    "script.pt": ("torch", "torch"),
    "weights.pt": ("torch", "torch"),
    "weights.safetensors": ("safetensors", "torch"),
    "model.keras": ("keras", "tensorflow"),
    "model.h5": ("h5py", "tensorflow"),
    "saved_model": ("tensorflow", "tensorflow"),
}


@pytest.mark.parametrize("name", NEEDS)
def test_a_missing_framework_is_named(
    name: str, torch_files: Path, keras_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, extra = NEEDS[name]
    for loaded in [key for key in sys.modules if key.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, loaded, None)
    path = next(folder / name for folder in (torch_files, keras_files) if (folder / name).exists())
    with pytest.raises(MissingFrameworkError, match=package) as caught:
        formats.load(path, factory="absent:absent" if name.startswith("weights") else None)
    assert caught.value.exit_code == 4
    assert f'"equiport[{extra}]"' in caught.value.hint


def test_a_broken_framework_is_not_called_missing(
    torch_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from converter.formats import reading

    def refuse(name: str) -> None:
        raise ImportError("libcudart.so.12: cannot open shared object file")

    monkeypatch.setattr(reading, "import_module", refuse)
    with pytest.raises(MissingFrameworkError, match="libcudart") as caught:
        formats.load(torch_files / "script.pt")
    assert "installed but cannot be imported" in caught.value.message
