"""Models of both frameworks in every kind of file, made once."""

from __future__ import annotations

import secrets
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.converter.formats import torch_models


@pytest.fixture
def generator() -> np.random.Generator:
    """Return fresh random numbers; the seed is printed where a test fails."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    return np.random.default_rng(seed)


@pytest.fixture(scope="session")
def torch_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one PyTorch model in each kind of file, and the model itself."""
    from safetensors.torch import save_file

    folder = tmp_path_factory.mktemp("torch")
    model = torch_models.Classifier().eval()
    batch = torch.export.Dim("batch", max=64)
    program = torch.export.export(model, (torch.randn(3, 4),), dynamic_shapes={"x": {0: batch}})
    torch.export.save(program, folder / "program.pt2")
    torch.jit.trace(model.linear, torch.randn(2, 4)).save(str(folder / "script.pt"))
    for name, legacy in (("", False), ("_legacy", True)):
        options = {"_use_new_zipfile_serialization": not legacy}
        torch.save(model.state_dict(), folder / f"weights{name}.pt", **options)
        torch.save(model, folder / f"module{name}.pt", **options)
    torch.save({"epoch": 3, "state_dict": model.state_dict()}, folder / "checkpoint.pt")
    parallel = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save(parallel, folder / "parallel.pt")
    torch.save({"epoch": 3, "loss": [0.5, 0.25]}, folder / "no_weights.pt")
    save_file(model.state_dict(), folder / "weights.safetensors")
    return folder


@pytest.fixture(scope="session")
def keras_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one Keras model in each kind of file."""
    import keras

    from tests.converter.formats import keras_models

    folder = tmp_path_factory.mktemp("keras")
    model = keras_models.classifier()
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    model.save_weights(folder / "model.weights.h5")
    model.export(folder / "saved_model", verbose=False)
    inputs = keras.Input((4,), name="x")
    scaled = keras.layers.Lambda(lambda tensor: tensor * 2, name="scale")(inputs)
    for name in ("code.keras", "code.h5"):
        keras.Model(inputs, scaled).save(folder / name)
    return folder


@pytest.fixture(scope="session")
def onnx_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one graph, with its weights inside and beside it."""
    import onnx_ir as ir

    from tests.converter.formats.onnx_models import linear

    folder = tmp_path_factory.mktemp("onnx")
    ir.save(linear(), folder / "inside.onnx")
    ir.save(linear(), folder / "beside.onnx", external_data="beside.data", size_threshold_bytes=0)
    return folder
