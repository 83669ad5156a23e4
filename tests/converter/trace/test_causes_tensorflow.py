"""Each refusal of the tracers of TensorFlow and ONNX says its own cause and its own way on.

The table has a row for every place in `converter/trace/tensorflow` and `converter/trace/onnx.py`
that raises an error of its own; a place without a row fails the last test.
"""

from __future__ import annotations

import ast
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import TensorProto, helper

import converter
from converter.errors import EquiportError
from converter.formats import Source
from converter.trace.tensorflow.functions import concrete

ROOT = Path(converter.__file__).parent
PLACES = [ROOT / "trace" / "onnx.py", *sorted((ROOT / "trace" / "tensorflow").glob("*.py"))]
NOT_TYPED_HERE = {"writer.py"}
"""Raises what the tracer gathers into one `UnsupportedOpsError`."""

X = tf.TensorSpec([None, 4], tf.float32, name="x")


def convert(model: Any, **options: Any) -> None:
    converter.convert(model, to="onnx", verify=False, **options)


def function(body: Callable[..., Any], *specs: tf.TensorSpec) -> Any:
    return tf.function(body, input_signature=list(specs or (X,)))


def module(variable: tf.Variable, body: Callable[[tf.Variable, tf.Tensor], Any]) -> tf.Module:
    class Holds(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.held = variable

        @tf.function(input_signature=[X])
        def __call__(self, x: tf.Tensor) -> Any:
            return body(self.held, x)

    return Holds()


class Silent(keras.Model):
    """Says that it is built, but not for what."""

    def __init__(self) -> None:
        super().__init__()
        self.built = True

    def call(self, x: Any) -> Any:
        return x + 1


def two_inputs() -> keras.Model:
    a, b = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    return keras.Model([a, b], keras.layers.Add()([a, b]))


def table_of_open_length() -> tf.Module:
    held = tf.Variable(np.zeros(3, "float32"), shape=[None], name="log")

    def body(held: tf.Variable, x: tf.Tensor) -> tf.Tensor:
        held.assign(tf.concat([held, x[:, 0]], 0))
        return x

    return module(held, body)


def looked_up_and_assigned() -> tf.Module:
    def body(held: tf.Variable, x: tf.Tensor) -> tf.Tensor:
        row = tf.raw_ops.ResourceGather(
            resource=held.handle, indices=[0], dtype=tf.float32, name="look"
        )
        held.assign_add(tf.ones([3, 4]))
        return x + row

    return module(tf.Variable(np.zeros((3, 4), "float32"), name="memory"), body)


def assigned_in_a_loop() -> tf.Module:
    def body(held: tf.Variable, x: tf.Tensor) -> tf.Tensor:
        def step(i: tf.Tensor) -> list[tf.Tensor]:
            held.assign_add(1.0)
            return [i + 1]

        tf.while_loop(lambda i: i < tf.shape(x)[0], step, [0])
        return x + held

    return module(tf.Variable(0.0, name="steps"), body)


def onnx_file() -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


class Row(NamedTuple):
    run: Callable[[], Any]
    says: tuple[str, ...]
    hint: tuple[str, ...]


ROWS = {
    "a LiteRT file": Row(
        lambda: concrete(Source("tensorflow", "tflite", None, Path("m.tflite"), None), None),
        ("m.tflite", "cannot convert"),
        ("SavedModel",),
    ),
    "a Keras model that is not built": Row(
        lambda: convert(keras.Sequential([keras.layers.Dense(3)], name="fresh")),
        ("fresh", "not built"),
        ("--input",),
    ),
    "a Keras model that does not say its inputs": Row(
        lambda: convert(Silent()), ("does not say", "inputs"), ("--input",)
    ),
    "an input of another name": Row(
        lambda: convert(two_inputs(), inputs=["middle:float32[2,4]", "left:float32[2,4]"]),
        ("middle",),
        ("left", "right"),
    ),
    "an input of another shape": Row(
        lambda: convert(two_inputs(), inputs=["left:float32[batch,5]"]),
        ("left", "5", "4"),
        ("left",),
    ),
    "a function that does not say its inputs": Row(
        lambda: convert(tf.function(lambda x: x + 1)), ("does not say",), ("input_signature",)
    ),
    "a call that fails": Row(
        lambda: convert(function(lambda x: x @ tf.ones([3, 2]))), ("could not trace",), ("call",)
    ),
    "an operator without a translation": Row(
        lambda: convert(function(lambda x: tf.raw_ops.Igamma(a=x, x=x, name="gamma"))),
        ("Igamma", "gamma"),
        ("Replace",),
    ),
    "a variable of open shape that is assigned": Row(
        lambda: convert(table_of_open_length()), ("log", "not fixed"), ("as large as",)
    ),
    "a variable that is assigned and looked up": Row(
        lambda: convert(looked_up_and_assigned()), ("memory", "ResourceGather"), ("look-up",)
    ),
    "a variable that is assigned in a loop": Row(
        lambda: convert(assigned_in_a_loop()), ("loop",), ("return the value",)
    ),
    "an ONNX input of another name": Row(
        lambda: convert(onnx_file(), inputs=["z:float32[n,4]"]), ("z",), ("x",)
    ),
    "an ONNX input of another shape": Row(
        lambda: convert(onnx_file(), inputs=["x:float32[n,5]"]), ("x", "5"), ("x",)
    ),
}


def refusal(row: Row) -> EquiportError:
    with pytest.raises(EquiportError) as caught:
        row.run()
    return caught.value


@pytest.mark.parametrize("title", ROWS)
def test_a_refusal_says_its_cause_and_what_to_do(title: str) -> None:
    row = ROWS[title]
    error = refusal(row)
    missing = [word for word in row.says if word not in str(error)]
    assert not missing, f"{error} does not say {missing}"
    hint = error.hint or ""
    assert all(word in hint for word in row.hint), f"hint of {error}: {hint!r}"


def test_the_hint_of_another_cause_is_noticed() -> None:
    error = refusal(ROWS["a variable of open shape that is assigned"])
    other = ROWS["a variable that is assigned in a loop"]
    assert not all(word in (error.hint or "") for word in other.hint)


def test_a_failure_of_the_whole_translation_lists_the_operators(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks(*_: Any) -> Any:
        raise KeyError("planted")

    monkeypatch.setattr(import_module("converter.trace.tensorflow.trace"), "to_onnx", breaks)
    with pytest.raises(EquiportError, match="planted") as caught:
        convert(function(lambda x: tf.nn.relu(x)))
    assert "Relu" in (caught.value.hint or "")


def raising(path: Path) -> dict[tuple[str, int], int]:
    """Return first line of each `raise SomeError(...)` with its last line."""
    places = {}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            name = getattr(node.exc.func, "id", "")
            if name.endswith("Error"):
                places[path.name, node.lineno] = node.end_lineno or node.lineno
    return places


def test_every_place_that_refuses_has_a_row() -> None:
    places = {
        place: last
        for path in PLACES
        if path.name not in NOT_TYPED_HERE
        for place, last in raising(path).items()
    }
    assert len(places) > 8
    reached = set()
    for row in ROWS.values():
        for frame in traceback.extract_tb(refusal(row).__traceback__):
            name, line = Path(frame.filename).name, frame.lineno or 0
            reached |= {p for p, last in places.items() if p[0] == name and p[1] <= line <= last}
    assert not set(places) - reached, f"no row for {sorted(set(places) - reached)}"
