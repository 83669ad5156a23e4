"""Every format gives the model that was saved: its outputs, names, signature and roles."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from converter import formats
from converter.errors import UnreadableModelError, UsageError
from converter.signature import DimRange
from tests.converter.formats.torch_models import Classifier

FACTORY = "tests.converter.formats.torch_models:Classifier"
KERAS_FACTORY = "tests.converter.formats.keras_models:classifier"


@pytest.fixture(scope="module")
def model(torch_files: Path) -> torch.nn.Module:
    return torch.load(torch_files / "module.pt", weights_only=False)


WITH_FACTORY = ["weights.pt", "weights_legacy.pt", "weights.safetensors", "checkpoint.pt",
                "parallel.pt"]  # fmt: skip
TRUSTED = ["module.pt", "module_legacy.pt"]


@pytest.mark.parametrize("name", [*WITH_FACTORY, *TRUSTED])
def test_torch_modules(name: str, torch_files: Path, model: Classifier, generator) -> None:
    factory = FACTORY if name in WITH_FACTORY else None
    source = formats.load(torch_files / name, factory=factory, trust=name in TRUSTED)
    assert source.framework == "torch"
    assert not source.model.training
    assert source.path == torch_files / name
    x = torch.from_numpy(generator.standard_normal((5, 4)).astype(np.float32))
    assert torch.equal(source.model(x)["logits"], model(x)["logits"])
    assert not torch.equal(Classifier().eval()(x)["logits"], model(x)["logits"])


def test_an_exported_program(torch_files: Path, model: Classifier, generator) -> None:
    source = formats.load(torch_files / "program.pt2")
    x = torch.from_numpy(generator.standard_normal((5, 4)).astype(np.float32))
    assert torch.equal(source.model.module()(x)["logits"], model(x)["logits"])
    (batch, features), (rows, classes) = (
        source.signature.input("x").shape,
        source.signature.output("logits").shape,
    )
    assert isinstance(batch, str)
    assert (features, rows, classes) == (4, batch, 3)
    assert source.signature.dims[batch] == DimRange(1, 64)


def test_torchscript(torch_files: Path, model: Classifier, generator) -> None:
    source = formats.load(torch_files / "script.pt")
    x = torch.from_numpy(generator.standard_normal((5, 4)).astype(np.float32))
    assert torch.equal(source.model(x), model.linear(x))
    assert source.signature is None


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "model.weights.h5", "renamed.bin"])
def test_keras_models(name: str, keras_files: Path, tmp_path: Path, generator) -> None:
    path = keras_files / name
    if name == "renamed.bin":  # Keras itself goes by the ending
        path = Path(shutil.copy(keras_files / "model.keras", tmp_path / name))
    factory = KERAS_FACTORY if name == "model.weights.h5" else None
    source = formats.load(path, factory=factory)
    assert [str(spec) for spec in source.signature.inputs] == [
        "x:float32[batch,4]",
        "words:float32[batch,words_dim_1,4]",
    ]
    assert [str(spec) for spec in source.signature.outputs] == [
        "hidden:float32[batch,3]",
        "logits:float32[batch,3]",
    ]
    inputs = [generator.standard_normal(shape).astype(np.float32) for shape in ((5, 4), (5, 7, 4))]
    served = formats.load(keras_files / "saved_model").model.signatures["serving_default"]
    want = served(x=inputs[0], words=inputs[1])
    for key, value in source.model(inputs).items():
        np.testing.assert_allclose(value, want[key], rtol=1e-5, atol=1e-6)
    source.model.get_layer("hidden").kernel.assign_add(np.ones((4, 3), np.float32))
    assert np.abs(source.model(inputs)["hidden"] - want["hidden"]).max() > 1e-3


@pytest.mark.parametrize("name", ["saved_model", "saved_model/saved_model.pb"])
def test_a_saved_model(name: str, keras_files: Path) -> None:
    source = formats.load(keras_files / name)
    assert (source.framework, source.kind) == ("tensorflow", "saved_model")
    assert {str(spec) for spec in source.signature.inputs} == {
        "x:float32[batch,4]",
        "words:float32[batch,words_dim_1,4]",
    }
    assert [spec.name for spec in source.signature.outputs] == ["hidden", "logits"]


@pytest.mark.parametrize("name", ["inside.onnx", "beside.onnx"])
def test_onnx(name: str, onnx_files: Path) -> None:
    source = formats.load(onnx_files / name)
    assert [str(spec) for spec in source.signature.inputs] == ["x:float32[batch,4]"]
    assert [str(spec) for spec in source.signature.outputs] == ["y:float32[batch,3]"]
    want = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    kernel = source.model.graph.initializers["kernel"].const_value
    assert np.array_equal(kernel.numpy(), want)
    assert not np.array_equal(kernel.numpy() + 1, want)


DATA_FAULTS = {
    "missing": (lambda file: file.unlink(), "not there"),
    "too short": (lambda file: file.write_bytes(file.read_bytes()[:20]), "truncated"),
}


@pytest.mark.parametrize("name", DATA_FAULTS)
def test_external_data_that_is_not_whole(name: str, onnx_files: Path, tmp_path: Path) -> None:
    spoil, words = DATA_FAULTS[name]
    shutil.copytree(onnx_files, tmp_path / "onnx")
    spoil(tmp_path / "onnx" / "beside.data")
    with pytest.raises(UnreadableModelError, match=words) as caught:
        formats.load(tmp_path / "onnx" / "beside.onnx")
    assert "beside.data" in caught.value.message


VARIABLES = "variables/variables.data-00000-of-00001"
SAVED_MODEL_FAULTS = {
    "no variables": lambda folder: shutil.rmtree(folder / "variables"),
    "no data": lambda folder: (folder / VARIABLES).unlink(),
    "half the data": lambda folder: halve(folder / VARIABLES),
    "half the index": lambda folder: halve(folder / "variables/variables.index"),
    "half the graph": lambda folder: halve(folder / "saved_model.pb"),
    "no graph in the file": lambda folder: (folder / "saved_model.pb").write_bytes(b""),
}


def halve(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("name", SAVED_MODEL_FAULTS)
def test_a_saved_model_that_is_not_whole(name: str, keras_files: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(keras_files / "saved_model", folder)
    SAVED_MODEL_FAULTS[name](folder)
    with pytest.raises(UnreadableModelError) as caught:
        formats.load(folder)
    assert str(folder) in caught.value.message
    assert "\n" not in caught.value.message


def test_a_checkpoint_without_weights(torch_files: Path) -> None:
    with pytest.raises(UnreadableModelError, match="epoch, loss"):
        formats.load(torch_files / "no_weights.pt", factory=FACTORY)


def test_an_hdf5_file_of_something_else(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["images"] = np.zeros(3)
    with pytest.raises(UnreadableModelError, match="images"):
        formats.load(tmp_path / "data.h5")


HERE = "tests.converter.formats"
FACTORIES = {
    "none": (None, "no model", "--model"),
    "no colon": ("models", "'models'", "--model"),
    "no module": ("absent_module:net", "'absent_module'", "folder"),
    "no function": (f"{HERE}.torch_models:absent", "'absent'", "Classifier"),
    "one that fails": (
        f"{HERE}.torch_models:failing",
        "RuntimeError: no such data set",
        "argument",
    ),
    "one of something else": (f"{HERE}.torch_models:number", "returned a int", "nn.Module"),
    "no such file": ("absent/model.py:net", "absent/model.py does not exist", "file.py:function"),
    "no function at all": (f"{HERE}.torch_models:NUMBER", "not a function", None),
    "one of other sizes": (f"{HERE}.torch_models:wide", r"linear.weight has \[3, 4\]", "settings"),
    "one of other names": (
        f"{HERE}.torch_models:other",
        "missing 0.weight, 0.bias; unexpected .*linear.weight",
        "settings",
    ),
    "one of the other framework": (f"{HERE}.keras_models:classifier", "not an nn.Module", None),
}


@pytest.mark.parametrize("name", FACTORIES)
@pytest.mark.parametrize("file", ["weights.pt", "weights.safetensors"])
def test_factories_of_torch_weights(name: str, file: str, torch_files: Path) -> None:
    factory, words, hint = FACTORIES[name]
    with pytest.raises(UsageError, match=words) as caught:
        formats.load(torch_files / file, factory=factory)
    assert caught.value.exit_code == 2
    if hint:
        assert hint in caught.value.hint


KERAS_FACTORIES = {
    "none": (None, "no model"),
    "one of other sizes": (f"{HERE}.keras_models:wide", "do not fit"),
    "one without weights": (f"{HERE}.keras_models:Late", "no weights yet"),
    "one of the other framework": (f"{HERE}.torch_models:Classifier", "not a keras.Model"),
}


@pytest.mark.parametrize("name", KERAS_FACTORIES)
def test_factories_of_keras_weights(name: str, keras_files: Path) -> None:
    factory, words = KERAS_FACTORIES[name]
    with pytest.raises(UsageError, match=words):
        formats.load(keras_files / "model.weights.h5", factory=factory)


def test_a_factory_in_the_current_folder(
    torch_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a_net_nearby.py").write_text(
        "from tests.converter.formats.torch_models import Classifier as build\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [entry for entry in __import__("sys").path if entry])
    source = formats.load(torch_files / "weights.pt", factory="a_net_nearby:build")
    assert isinstance(source.model, Classifier)


FILE = """
from __future__ import annotations
from dataclasses import dataclass
from neighbour import SIZE
from torch import nn

@dataclass
class Config:
    size: int = SIZE

class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(Config().size, 1)
"""


def test_factories_in_files_of_one_name(tmp_path: Path) -> None:
    """Two sides bring a ``model.py`` and a neighbour each; a dataclass looks its module up."""
    from safetensors.torch import save_file
    from torch import nn

    classes = []
    for size in (2, 5):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / "model.py").write_text(FILE)
        (folder / "neighbour.py").write_text(f"SIZE = {size}\n")
        linear = nn.Linear(size, 1).state_dict()
        weights = {f"linear.{name}": value for name, value in linear.items()}
        save_file(weights, folder / "w.safetensors")
        source = formats.load(folder / "w.safetensors", factory=f"{folder}/model.py:Net")
        assert source.model.linear.in_features == size
        classes.append(type(source.model))
    assert classes[0] is not classes[1]


def test_a_factory_file_that_fails_is_refused_with_its_line(
    torch_files: Path, tmp_path: Path
) -> None:
    (tmp_path / "wrong.py").write_text("import math\nmath.sqrt('x')\n")
    with pytest.raises(UsageError, match="TypeError: must be real") as caught:
        formats.load(torch_files / "weights.pt", factory=f"{tmp_path}/wrong.py:net")
    assert caught.value.source_line == "wrong.py:2"
    (tmp_path / "lacks.py").write_text("import no_such_package\n")
    with pytest.raises(UsageError, match="lacks.py imports 'no_such_package'"):
        formats.load(torch_files / "weights.pt", factory=f"{tmp_path}/lacks.py:net")


def test_constants_beside_the_weights_are_loaded(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    (tmp_path / "model.py").write_text(
        "import torch\nfrom torch import nn\n\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.linear = nn.Linear(2, 1)\n"
        "        self.register_buffer('constant', torch.zeros(3), persistent=False)\n"
    )
    weights = {f"linear.{name}": v for name, v in torch.nn.Linear(2, 1).state_dict().items()}
    save_file(weights | {"constant": torch.arange(3.0)}, tmp_path / "w.safetensors")
    source = formats.load(tmp_path / "w.safetensors", factory=f"{tmp_path}/model.py:Net")
    assert source.model.constant.tolist() == [0.0, 1.0, 2.0]
    save_file(weights | {"other": torch.arange(3.0)}, tmp_path / "other.safetensors")
    with pytest.raises(UsageError, match="unexpected other"):
        formats.load(tmp_path / "other.safetensors", factory=f"{tmp_path}/model.py:Net")
