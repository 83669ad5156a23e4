"""Variables that a TensorFlow model assigns in each call: kept by the targets."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import torch

import converter
from converter.errors import TraceError
from verify import verify


class Counter(tf.Module):
    """Reads and assigns its variables in turn, one of them trainable."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(tf.random.normal([3, 3]), name="w")
        self.calls = tf.Variable(2, trainable=False, name="calls")
        self.last = tf.Variable(tf.random.normal([1, 3]), name="last")

    @tf.function(input_signature=[tf.TensorSpec([1, 3], tf.float32, name="x")])
    def __call__(self, x):
        before = self.last.read_value()
        self.calls.assign_add(1)
        y = x @ self.w + before * tf.cast(self.calls, tf.float32)
        self.last.assign(tf.tanh(y))
        self.last.assign_sub(0.5 * x)
        return {"y": y + self.last}


class Loop(tf.Module):
    """Assigns within a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.total = tf.Variable(tf.zeros([3]), name="total")

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def __call__(self, x):
        for row in x:
            self.total.assign_add(row)
        return {"y": x + self.total}


def recurrent(layer: type) -> keras.Model:
    x = keras.Input((4, 3), batch_size=2, name="x")
    return keras.Model(x, layer(5, stateful=True, return_sequences=True)(x))


def saved(tmp_path: Path) -> tuple[Path, Counter]:
    model = Counter()
    path = tmp_path / "saved"
    tf.saved_model.save(model, str(path), signatures={"serving_default": model.__call__})
    return path, model


def draws(*shape: int) -> list[np.ndarray]:
    seed = int(np.random.default_rng().integers(1 << 30))
    print(f"seed {seed}")
    generator = np.random.default_rng(seed)
    return [generator.normal(size=shape).astype(np.float32) for _ in range(3)]


def output(result, x: np.ndarray) -> np.ndarray:
    if isinstance(result.model, torch.nn.Module):
        return result.model(torch.from_numpy(x)).detach().numpy()
    return np.asarray(result.model(x))


@pytest.mark.parametrize("to", ["torch", "tf"])
def test_variables_of_a_module_are_kept(to: str, tmp_path: Path) -> None:
    path, model = saved(tmp_path)
    result = converter.convert(path, to, verify=False)
    assert {state.name for state in result.signature.state} == {"calls", "last"}
    roles = {
        name: value.metadata_props.get("equiport.role")
        for name, value in result.graph.graph.initializers.items()
    }
    assert roles["w"] == "parameter"
    assert roles["last"] == "buffer"
    for x in draws(1, 3):
        wanted = model(tf.constant(x))["y"].numpy()
        assert np.abs(output(result, x) - wanted).max() < 1e-5


@pytest.mark.parametrize("layer", [keras.layers.GRU, keras.layers.LSTM])
def test_stateful_recurrent_layers_are_kept(layer: type) -> None:
    model = recurrent(layer)
    result = converter.convert(model, "torch", verify=False)
    assert [state.shape for state in result.signature.state] == [(2, 5)] * (
        2 if layer is keras.layers.LSTM else 1
    )
    for x in draws(2, 4, 3):
        assert np.abs(output(result, x) - np.asarray(model(x))).max() < 1e-5


def test_a_forgetful_target_is_caught_and_the_source_put_back(tmp_path: Path) -> None:
    path, _ = saved(tmp_path)
    source = tf.saved_model.load(str(path))
    result = converter.convert(source, "torch", verify=False)
    options = {"data": {"x": draws(1, 3)[0]}, "signature": result.signature, "locate": False,
               "graph": result.graph, "weights": False}  # fmt: skip
    report = verify(source, result.model, **options)
    assert report.passed, str(report)
    assert {"state last", "state calls"} < set(report.outputs)
    held = {v.name: v.numpy() for v in source.signatures["serving_default"].variables}
    assert held["calls:0"] == 2

    class Forgets(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            import copy

            return {"y": copy.deepcopy(result.model)(x)}

    report = verify(source, Forgets(), **options)
    assert not report.passed
    assert [run.stage.failed for run in report.runs[:2]] == [False, True]


def test_assigning_in_a_loop_is_refused() -> None:
    with pytest.raises(TraceError, match="within a loop or a branch"):
        converter.convert(Loop(), "torch", inputs=["x[n,3]"], verify=False)
