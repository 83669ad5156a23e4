"""Every runtime runs the same model to the same result, and notices one that is not the same."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.verify.models import classifier, saved
from verify import Stage, assert_equivalent, verify
from verify.runtimes import KINDS

torch = pytest.importorskip("torch")
tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")

INPUT = "x:float32[batch,4]"


class Net(torch.nn.Module):
    """The classifier of `tests.verify.models` in PyTorch."""

    def __init__(self, weight: np.ndarray, bias: np.ndarray) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.from_numpy(weight.copy()))
        self.bias = torch.nn.Parameter(torch.from_numpy(bias.copy()))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = x @ self.weight + self.bias
        return {"logits": logits, "label": logits.argmax(1)}


def weights(change: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Return the weight and bias of the classifier."""
    from onnx import numpy_helper

    weight, bias = map(numpy_helper.to_array, classifier(weight_change=change).graph.initializer)
    return weight, bias


class Module(tf.Module):
    def __init__(self, weight: np.ndarray, bias: np.ndarray) -> None:
        super().__init__()
        self.weight, self.bias = tf.Variable(weight), tf.Variable(bias)

    @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32, name="x")])
    def __call__(self, x: Any) -> dict[str, Any]:
        logits = x @ self.weight + self.bias
        return {"logits": logits, "label": tf.argmax(logits, 1)}


def keras_net(weight: np.ndarray, bias: np.ndarray) -> Any:
    x = keras.Input((4,), name="x")
    logits = keras.layers.Dense(3, name="dense")(x)
    label = keras.layers.Lambda(lambda t: tf.argmax(t, 1))(logits)
    model = keras.Model(x, {"logits": logits, "label": label})
    model.get_layer("dense").set_weights([weight, bias])
    return model


def build(runtime: str, folder: Path, change: float) -> Any:
    """Return a model, live or as a file, that the runtime runs."""
    weight, bias = weights(change)
    if runtime.startswith("onnx"):
        return saved(classifier(weight_change=change), folder / f"{runtime}{change}.onnx")
    if runtime in ("torch", "torch_compile"):
        return Net(weight, bias)
    if runtime == "exported_program":
        batch = torch.export.Dim("batch")
        return torch.export.export(
            Net(weight, bias), (torch.randn(3, 4),), dynamic_shapes=({0: batch},)
        )
    if runtime == "torchscript":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.script(Net(weight, bias))
    if runtime in ("tensorflow", "tensorflow_eager"):
        return Module(weight, bias)
    if runtime == "keras":
        return keras_net(weight, bias)
    path = folder / f"{runtime}{change}"
    module = Module(weight, bias)
    tf.saved_model.save(module, str(path))
    if runtime in ("saved_model", "tensorflow_xla"):
        return path
    flat = path.with_suffix(".tflite")
    flat.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(path)).convert())
    return flat


@pytest.mark.parametrize("runtime", KINDS)
def test_every_runtime_agrees_and_notices_a_fault(runtime: str, tmp_path: Path) -> None:
    source = Net(*weights())
    target = build(runtime, tmp_path, 0.0)
    options = {"inputs": INPUT, "seeds": 1, "runtime": f"b={runtime}"}
    report = verify(source, target, **options)
    assert report.passed, report.failures
    assert report.b.runtime == runtime
    assert set(report.outputs) == {"logits", "label"}
    assert report.b.versions
    wrong = verify(source, build(runtime, tmp_path, 0.01), **options)
    assert not wrong.passed
    assert not wrong.outputs["logits"].passed


class Pair(torch.nn.Module):
    def forward(self, left: torch.Tensor, right: torch.Tensor) -> tuple:
        return left - right, (left * 2).to(torch.float64), None


def test_inputs_go_by_name_where_both_have_names_and_outputs_by_order() -> None:
    right, left = keras.Input((3,), name="right"), keras.Input((3,), name="left")
    difference = keras.layers.Subtract()([left, right])
    double = keras.layers.Lambda(lambda t: tf.cast(t * 2, tf.float64))(left)
    model = keras.Model([right, left], [difference, double])
    a, b = np.ones((2, 3), np.float32), np.zeros((2, 3), np.float32)
    assert_equivalent(Pair(), model, {"left": a, "right": b})
    turned = keras.Model([right, left], [keras.layers.Subtract()([right, left]), double])
    with pytest.raises(AssertionError, match="elements differ"):
        assert_equivalent(Pair(), turned, {"left": a, "right": b})


class Subclassed(keras.Model):
    def __init__(self, weight: np.ndarray, bias: np.ndarray) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(3)
        self.dense.build((None, 4))
        self.dense.set_weights([weight, bias])
        self.dropout = keras.layers.Dropout(0.9)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.dropout(self.dense(x), training=training)


def test_a_subclassed_keras_model_against_a_module_of_pytorch() -> None:
    weight, bias = weights()
    linear = torch.nn.Linear(4, 3)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor(weight.T))
        linear.bias.copy_(torch.tensor(bias))
    x = np.random.default_rng().standard_normal((6, 4)).astype(np.float32)
    assert_equivalent(linear, Subclassed(weight, bias), x)
    assert_equivalent(linear, Subclassed(weight, bias), inputs=INPUT)
    with pytest.raises(AssertionError):
        assert_equivalent(linear, Subclassed(weight, bias + 1), x)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "bool", "int32", "uint8", "complex64"])
def test_dtypes_cross_between_the_frameworks(dtype: str) -> None:
    class Same(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x, x])

    def same(x: Any) -> Any:
        return tf.concat([x, x], 0)

    inputs = f"x:{dtype}[n,2]"
    report = verify(Same(), tf.function(same), inputs=inputs, seeds=1)
    assert report.passed, report.failures
    assert report.outputs["output"].dtype == dtype
    other = "int64" if dtype != "bool" else "int8"
    cast = tf.function(lambda x: tf.cast(same(x), other))
    assert "dtype" in verify(Same(), cast, inputs=inputs, seeds=1).failures[0]


@pytest.mark.parametrize("name", ["bfloat16", "float16", "float8e4m3fn"])
def test_narrow_floats_cross_between_onnx_and_pytorch(name: str) -> None:
    from onnx import TensorProto, helper

    kind = getattr(TensorProto, name.upper())
    infos = [helper.make_tensor_value_info(value, kind, ["n"]) for value in "xy"]
    node = helper.make_node("Reshape", ["x", "shape"], ["y"])
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [-1])
    graph = helper.make_graph([node], "g", infos[:1], infos[1:], [shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    report = verify(model, torch.nn.Identity(), seeds=1)
    assert report.passed, report.failures
    assert report.outputs["y"].dtype == name
    assert report.outputs["y"].max_abs == 0

    class Turned(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flip(0)

    assert not verify(model, Turned(), seeds=1).passed


def test_texts_cross_between_the_runtimes(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    infos = [helper.make_tensor_value_info(name, TensorProto.STRING, ["n"]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "g", *[[i] for i in infos]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path = saved(model, tmp_path / "texts.onnx")

    class Texts(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="x")])
        def __call__(self, x: Any) -> dict[str, Any]:
            return {"y": tf.identity(x)}

    class Upper(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="x")])
        def __call__(self, x: Any) -> dict[str, Any]:
            return {"y": tf.strings.upper(x)}

    assert verify(path, Texts(), sizes={"n": [20]}, seeds=1).passed
    assert not verify(path, Upper(), sizes={"n": [20]}, seeds=1).passed


def test_an_output_that_is_no_tensor_is_a_row() -> None:
    class Odd(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return object()

    report = verify(torch.nn.Identity(), Odd(), inputs="x:float32[n]", seeds=1)
    assert not report.passed
    assert "object is not a tensor" in report.failures[0]
    both = verify(Odd(), Odd(), inputs="x:float32[n]", seeds=1)
    stages = {run.stage for run in both.runs if run.sizes["n"] != 0}  # no rows may be refused
    assert stages == {Stage.RUN}  # not a model that refuses its inputs
    assert [run.stage for run in both.runs if run.sizes["n"] == 0] == [Stage.REFUSED]


def test_what_only_pytorch_knows_is_unpacked() -> None:
    transformers = pytest.importorskip("transformers")
    from transformers.modeling_outputs import BaseModelOutput

    class Wrapped(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return BaseModelOutput(last_hidden_state=x * 2, hidden_states=(x, x + 1))

    class Plain(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"last_hidden_state": x * 2, "hidden_states_0": x, "hidden_states_1": x + 1}

    assert transformers.__version__
    report = verify(Wrapped(), Plain(), inputs="x:float32[n,3]", seeds=1)
    assert report.passed, report.failures
    assert list(report.outputs) == ["last_hidden_state", "hidden_states_0", "hidden_states_1"]
