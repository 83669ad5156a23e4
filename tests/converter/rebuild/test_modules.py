"""The rebuilt modules are ordinary citizens of their frameworks."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import converter


class Net(nn.Module):
    """Convolution, normalisation, recurrence and shape arithmetic on a dynamic size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 6, 3, padding=1)
        self.norm = nn.BatchNorm1d(6)
        self.lstm = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv(x))).transpose(1, 2)
        x, _ = self.lstm(x)
        return self.head(x.reshape(-1, x.shape[-1])).reshape(x.shape[0], -1, 3).softmax(-1)


SPECS = ("x:float32[batch,4,length]",)


def fresh_input(batch: int = 3, length: int = 7) -> torch.Tensor:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    return torch.randn(batch, 4, length, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def source() -> nn.Module:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture
def rebuilt(source: nn.Module) -> Any:
    return converter.convert(source, "torch", inputs=SPECS, verify=False).model


def agree(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-6)


def by_export(module: nn.Module) -> Any:
    dims = {0: torch.export.Dim("batch"), 2: torch.export.Dim("length", min=2)}
    return torch.export.export(module, (fresh_input(),), dynamic_shapes=(dims,)).module()


def by_trace(module: nn.Module) -> Any:
    return torch.jit.trace(module, (fresh_input(3, 7),))


def by_compile(module: nn.Module) -> Any:
    return torch.compile(module, backend="aot_eager", dynamic=True)


def by_pickle(module: nn.Module) -> Any:
    return pickle.loads(pickle.dumps(module))


def by_torch_save(module: nn.Module) -> Any:
    file = io.BytesIO()
    torch.save(module, file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=False)


def by_state_dict(module: nn.Module) -> Any:
    twin = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(1)
    twin.load_state_dict(module.state_dict(), strict=True)
    return twin


WAYS = {
    "torch.export": by_export,
    "torch.jit.trace": by_trace,
    "torch.compile": by_compile,
    "copy.deepcopy": copy.deepcopy,
    "pickle": by_pickle,
    "torch.save": by_torch_save,
    "state_dict": by_state_dict,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_rebuilt_module_survives(way: str, source: nn.Module, rebuilt: Any) -> None:
    survivor = WAYS[way](rebuilt)
    # A trace of torch.jit holds for the sizes of its example only where the model says so.
    for batch, length in ((3, 7), (1, 4), (5, 11)):
        x = fresh_input(batch, length)
        agree(survivor(x), source(x))
    with torch.no_grad():
        rebuilt.get_parameter("head.bias")[0] += 1  # the planted fault
    with pytest.raises(AssertionError):
        agree(rebuilt(x), source(x))


def test_a_rebuilt_module_moves_to_another_dtype(source: nn.Module, rebuilt: Any) -> None:
    x = fresh_input()
    double = copy.deepcopy(rebuilt).to(torch.float64)
    result = double(x.double())
    assert result.dtype == torch.float64
    agree(result.float(), source(x))


def test_a_rebuilt_module_moves_to_the_meta_device(rebuilt: Any) -> None:
    moved = copy.deepcopy(rebuilt).to("meta")
    assert {p.device.type for p in moved.parameters()} == {"meta"}
    assert moved(torch.empty(3, 4, 7, device="meta")).shape == (3, 7, 3)


def test_names_and_values_are_the_source_s(source: nn.Module, rebuilt: Any) -> None:
    assert [n for n, _ in rebuilt.named_parameters()] == [n for n, _ in source.named_parameters()]
    assert set(rebuilt.state_dict()) == set(source.state_dict())
    for name, value in source.state_dict().items():
        stored = rebuilt.state_dict()[name]
        if name in rebuilt.permutations:
            stored = stored.permute(*np.argsort(rebuilt.permutations[name]).tolist())
        assert torch.equal(stored, value), name


def test_a_wrong_input_is_refused_by_name(rebuilt: Any) -> None:
    with pytest.raises(ValueError, match="'x' has size 5 on axis 1"):
        rebuilt(torch.zeros(2, 5, 7))
    with pytest.raises(ValueError, match="'x' has 2 dimensions"):
        rebuilt(torch.zeros(2, 4))


@pytest.fixture(scope="module")
def tensorflow_twin(source: nn.Module) -> Any:
    return converter.convert(source, "tf", inputs=SPECS, verify=False).model


def test_the_tensorflow_module_is_a_module(
    source: nn.Module, tensorflow_twin: Any, tmp_path: Path
) -> None:
    import tensorflow as tf

    assert isinstance(tensorflow_twin, tf.Module)
    named = tensorflow_twin.named_variables()
    assert {n for n, v in named.items() if v.trainable} == {n for n, _ in source.named_parameters()}
    assert len(tensorflow_twin.trainable_variables) == len(list(source.parameters()))
    tf.saved_model.save(tensorflow_twin, str(tmp_path / "m"), tensorflow_twin.signatures())
    loaded = tf.saved_model.load(str(tmp_path / "m")).signatures["serving_default"]
    assert loaded.structured_input_signature[1]["x"].shape.as_list() == [None, 4, None]
    assert loaded.structured_outputs["output"].shape.as_list() == [None, None, 3]
    for batch, length in ((3, 7), (1, 4), (5, 11)):
        x = fresh_input(batch, length)
        got = loaded(x=tf.constant(x.numpy()))["output"]
        np.testing.assert_allclose(got, source(x).detach(), rtol=1e-4, atol=1e-5)


def test_the_tensorflow_module_takes_inputs_by_name(tensorflow_twin: Any) -> None:
    x = fresh_input().numpy()
    np.testing.assert_array_equal(tensorflow_twin(x), tensorflow_twin(x=x))
    with pytest.raises(TypeError, match="takes the inputs x"):
        tensorflow_twin(y=x)
    with pytest.raises(TypeError, match="missing input"):
        tensorflow_twin()
