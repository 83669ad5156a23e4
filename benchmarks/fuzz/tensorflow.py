"""What the fuzzer asks of TensorFlow and Keras."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from benchmarks.fuzz import keras_steps
from benchmarks.fuzz.grow import Template
from benchmarks.fuzz.tensorflow_steps import STEPS

NAME = "tensorflow"
SIZE = "tf.shape({token})[{axis}]"


def forms() -> list[tuple[str, float]]:
    return [("function", 5.0), ("tf_module", 2.0), ("functional", 4.0), ("subclassed", 2.0)]


def targets(form: str) -> list[tuple[str, float]]:
    return [("torch", 10.0), ("onnx", 0.5), ("tf", 1.0)]


def templates(form: str) -> list[tuple[float, Template]]:
    if form == "function":
        return STEPS
    if form == "functional":
        return [*keras_steps.LAYERS, *((w / 3, t) for w, t in keras_steps.OPS)]
    return [*STEPS, *((w * 2, t) for w, t in keras_steps.LAYERS)]


def environment() -> dict[str, Any]:
    return {"tf": tf, "keras": keras, "layers": layers, "ops": ops}


def is_tensor(value: Any) -> bool:
    return isinstance(value, tf.Tensor)


def tensor(array: np.ndarray, dtype: str) -> tf.Tensor:
    return tf.cast(tf.convert_to_tensor(array), dtype)


def array(value: tf.Tensor) -> np.ndarray:
    return (tf.cast(value, tf.float32) if value.dtype == tf.bfloat16 else value).numpy()


def dtype(value: tf.Tensor) -> str:
    return value.dtype.name


def call(model: Any, inputs: list[tf.Tensor], form: str) -> list[tf.Tensor]:
    if form in ("function", "tf_module"):
        return tf.nest.flatten(model(*inputs))
    given = inputs if len(inputs) > 1 else inputs[0]
    # Said aloud: a layer in a wrapper may drop values where nothing is said (recurrent_dropout).
    return tf.nest.flatten(model(given, training=False))


def computes_narrower(model: Any, inputs: list, form: str) -> bool:
    """Tell whether a source that gives float64 computes a part of it in float32.

    TensorFlow's `resize` does, and a wrapped layer of Keras where only the wrapper has a dtype.
    """

    @tf.function
    def traced(*tensors: tf.Tensor) -> Any:
        return call(model, list(tensors), form)

    graph = traced.get_concrete_function(*(tensor(*item) for item in inputs)).graph
    graphs = [graph, *(f.graph for f in graph._functions.values() if hasattr(f, "graph"))]
    return any(
        output.dtype in (tf.float32, tf.float16, tf.bfloat16)
        for held in graphs
        for operation in held.get_operations()
        for output in operation.outputs
    )


def seeded() -> None:
    keras.utils.set_random_seed(0)


def noise(rng: np.random.Generator):
    """Return what moves floats by about a unit in the last place."""

    def moved(value: Any) -> Any:
        if not isinstance(value, tf.Tensor) or not value.dtype.is_floating:
            return value
        unit = (
            float(np.finfo(np.float16).eps)
            if value.dtype == tf.float16
            else {"float32": 2.0**-23, "float64": 2.0**-52, "bfloat16": 2.0**-7}[value.dtype.name]
        )
        seed = rng.integers(0, 2**31, 2)
        steps = tf.random.stateless_uniform(tf.shape(value), seed, -2, 3, tf.int32)
        return value * (1 + tf.cast(steps, value.dtype) * tf.cast(unit, value.dtype))

    return moved


def move_weights(model: Any, rng: np.random.Generator) -> None:
    for variable in getattr(model, "variables", ()):
        held = getattr(variable, "value", variable)
        if hasattr(held, "assign") and held.dtype.is_floating:
            held.assign(noise(rng)(tf.convert_to_tensor(held)))
