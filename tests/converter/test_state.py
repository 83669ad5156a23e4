"""Buffers that change in each call: kept by every target, under their names."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir as ir
import pytest
import torch

import converter
from converter.errors import RebuildError, TraceError
from converter.graph.constants import constant_of
from converter.graph.state import STATE
from tests.converter.stateful import Grows, Stream, Swap

CALLS = 3
MODELS = {"stream": (Stream, (1, 2, 5)), "swap": (Swap, (1, 3))}
ENDINGS = {"tflite": ".tflite", "onnx": ".onnx", "keras": ".keras"}


def made(name: str) -> tuple[torch.nn.Module, list[torch.Tensor]]:
    """Return a model and the inputs of a few calls."""
    seed = int(np.random.default_rng().integers(1 << 30))
    print(f"seed {seed}")
    torch.manual_seed(seed)
    build, shape = MODELS[name]
    return build().eval(), [torch.randn(shape) for _ in range(CALLS)]


def flat(result) -> list[np.ndarray]:
    items = result.values() if isinstance(result, dict) else result
    items = items if isinstance(result, dict | tuple | list) else [items]
    return [np.array(item.detach() if isinstance(item, torch.Tensor) else item) for item in items]


def compared(model: torch.nn.Module, call: Callable, inputs: list[torch.Tensor]) -> list[float]:
    """Return the largest difference of each call."""
    model, differences = copy.deepcopy(model), []
    for x in inputs:
        with torch.no_grad():
            wanted = flat(model(x))
        got = flat(call(x))
        assert len(got) == len(wanted)
        differences.append(
            max(float(np.abs(a - b).max()) for a, b in zip(got, wanted, strict=True))
        )
    return differences


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("to", ["torch", "tf", "keras"])
def test_live_targets_keep_the_state(name: str, to: str) -> None:
    model, inputs = made(name)
    before = {key: value.clone() for key, value in model.named_buffers()}
    result = converter.convert(model, to, inputs=(inputs[0],), verify=False)
    assert {state.name for state in result.signature.state} == set(before)
    assert all(torch.equal(value, before[key]) for key, value in model.named_buffers())
    call = result.model if to == "torch" else lambda x: result.model(x.numpy())
    assert max(compared(model, call, inputs)) < 1e-5


def test_a_dropped_state_shows_at_the_second_call() -> None:
    """The planted fault of the test above: a result that forgets."""
    model, inputs = made("stream")
    result = converter.convert(model, "torch", inputs=(inputs[0],), verify=False)

    def forgetful(x: torch.Tensor) -> torch.Tensor:
        return copy.deepcopy(result.model)(x)

    first, second, _ = compared(model, forgetful, inputs)
    assert first < 1e-5
    assert second > 1e-3


def opened(path: Path, to: str, model: torch.nn.Module) -> Callable:
    """Return a call of an artifact, as somebody else would make it."""
    if to == "torch":
        return torch.export.load(path / "model.pt2").module()
    if to == "tf":
        import tensorflow as tf

        loaded = tf.saved_model.load(str(path))
        serve = loaded.signatures["serving_default"]
        assert set(loaded.weights) >= {"past", "h", "count"}
        return lambda x: serve(frame=tf.constant(x.numpy()))
    if to == "keras":
        import keras

        import converter.formats.keras_model  # noqa: F401  registers the class

        archive = keras.models.load_model(path)
        return lambda x: np.asarray(archive(x.numpy()))
    if to == "tflite":
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path))
        runner = interpreter.get_signature_runner("serving_default")
        return lambda x: runner(frame=x.numpy())
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options)
    state = {f"{name}_in": value.numpy().copy() for name, value in model.named_buffers()}

    def call(x: torch.Tensor) -> np.ndarray:
        names = [output.name for output in session.get_outputs()]
        got = dict(zip(names, session.run(None, {"frame": x.numpy(), **state}), strict=True))
        state.update({f"{name}_in": got[f"{name}_out"] for name, _ in model.named_buffers()})
        return got["output"]

    return call


@pytest.mark.parametrize("to", ["torch", "tf", "keras", "tflite", "onnx"])
def test_files_keep_the_state(to: str, tmp_path: Path) -> None:
    model, inputs = made("stream")
    path = tmp_path / f"out{ENDINGS.get(to, '')}"
    result = converter.convert(model, to, inputs=(inputs[0],), output=path, verify=False)
    assert any("past, h, count in each call" in note for note in result.notes)
    assert max(compared(model, opened(path, to, model), inputs)) < 1e-5
    assert converter.load(path).signature.state == result.signature.state


def test_an_onnx_file_read_again_has_plain_inputs_and_outputs(tmp_path: Path) -> None:
    model, inputs = made("stream")
    path = tmp_path / "out.onnx"
    first = converter.convert(model, "onnx", inputs=(inputs[0],), output=path, verify=False)
    assert [(s.name, s.input, s.output) for s in first.signature.state] == [
        (name, f"{name}_in", f"{name}_out") for name in ("past", "h", "count")
    ]
    again = converter.convert(path, "torch", verify=False)
    assert [s.name for s in again.signature.inputs] == ["frame", "past_in", "h_in", "count_in"]
    assert [s.name for s in again.signature.outputs] == ["output", "past_out", "h_out", "count_out"]
    assert again.signature.state == ()
    held = dict(model.named_buffers())
    got = again.model(inputs[0], held["past"], held["h"], held["count"])
    wanted = copy.deepcopy(model)(inputs[0])
    assert torch.allclose(got[0], wanted, atol=1e-5)
    assert int(got[3]) == 12


def test_an_exported_program_that_keeps_state_is_a_source(tmp_path: Path) -> None:
    """Its signature lists what it changes, and so does a second conversion."""
    model, inputs = made("stream")
    program = torch.export.export(model, (inputs[0],), strict=False)
    torch.export.save(program, tmp_path / "stream.pt2")
    result = converter.convert(tmp_path / "stream.pt2", "tf", verify=False)
    assert max(compared(model, lambda x: result.model(x.numpy()), inputs)) < 1e-5


def test_batch_normalisation_in_evaluation_keeps_nothing() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).eval()
    result = converter.convert(model, "torch", inputs=("input[batch,3]",), verify=False)
    assert result.signature.state == ()
    assert not any("in each call" in note for note in result.notes)


def test_a_buffer_that_grows_is_refused_by_name() -> None:
    with pytest.raises(TraceError, match=r"'cache' from float32\[1,2\] to float32\[2,2\]"):
        converter.convert(Grows().eval(), "tf", inputs=("x[1,2]",), verify=False)


def test_onnx2tf_refuses_state_by_name(tmp_path: Path) -> None:
    model, inputs = made("stream")
    with pytest.raises(RebuildError, match="past, h, count"):
        converter.convert(
            model, "tf", inputs=(inputs[0],), output=tmp_path / "out", engine="onnx2tf",
            verify=False, python_onnx2tf=sys.executable,
        )  # fmt: skip


def test_no_rewrite_takes_a_state_for_a_constant() -> None:
    """What the next call has in it is not what it holds now."""
    value = ir.Value(name="position", const_value=ir.tensor(np.array([3])))
    assert constant_of(value) is not None
    value.metadata_props[STATE] = "position_out"
    assert constant_of(value) is None


class Sliding(torch.nn.Module):
    """Its state is a position at which a table is read and written."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.randn(6, 2))
        self.register_buffer("position", torch.tensor([1]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        row = self.table[self.position]
        self.table[self.position] = x
        self.position.copy_((self.position + 1) % 6)
        return row + x


@pytest.mark.parametrize("to", ["torch", "tf"])
def test_a_state_that_is_an_index(to: str) -> None:
    torch.manual_seed(0)
    model, inputs = Sliding().eval(), [torch.randn(1, 2) for _ in range(8)]
    result = converter.convert(model, to, inputs=(inputs[0],), verify=False)
    call = result.model if to == "torch" else lambda x: result.model(x.numpy())
    assert max(compared(model, call, inputs)) < 1e-6
