"""Whether a Keras model computes in training what it computes in inference, but for known layers.

Dropout and batch normalisation follow the mode of the written module. Anything else that a layer
does in training alone (dropout inside a recurrent layer, random preprocessing, a layer of the
user's own) is not in the graph, which is of inference; here it is found, so that it can be said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import keras
import tensorflow as tf

from converter.signature import Signature
from converter.trace.tensorflow import dropout, recurrent
from converter.trace.tensorflow.functions import keras_call, tensor_spec
from converter.trace.tensorflow.provenance import module_path
from converter.trace.tensorflow.trace import quiet
from converter.trace.told import INFERENCE_ALONE

_QUIET = frozenset({"Const", "Identity", "NoOp", "Placeholder", "ReadVariableOp"})
"""Operators that compute nothing."""

_SHOWN = 4
"""So many layers are named."""


def in_training_alone(model: Any, signature: Signature | None) -> list[str]:
    """Say where a Keras model's operators in training differ from those in inference.

    Args:
        model: a live Keras layer or model; left as it was.
        signature: its inputs, if they were declared.
    """
    try:
        with quiet(), dropout.kept(), recurrent.whole_layers(), _inference_of_statistics():
            plain, trained = (_operators(model, signature, mode) for mode in (False, True))
    except Exception as error:  # whatever TensorFlow says; the model itself could be traced
        reason = str(error).strip().split("\n")[0][:160]
        return [f"what the model does in training could not be traced and compared: {reason}"]
    names = _names(model)
    found: dict[str, str] = {}
    for place in dict.fromkeys([*trained, *plain]):
        now, usual = trained.get(place, Counter()), plain.get(place, Counter())
        if now != usual:
            found.setdefault(_name(place, names), "training" if now - usual else "inference")
    notes = [
        f"{name} computes something in {mode} alone; {INFERENCE_ALONE}"
        for name, mode in list(found.items())[:_SHOWN]
    ]
    left = len(found) - len(notes)
    return [*notes, *([f"and {left} more layers like these"] if left else [])]


def _names(model: Any) -> dict[str, str]:
    """Return how each layer is called to the user, by its name; a cell is part of its layer."""
    layers = list(model._flatten_layers(include_self=False))
    cells = {id(layer.cell) for layer in layers if hasattr(layer, "cell")}
    return {layer.name: f"{layer.name} ({type(layer).__name__})"
            for layer in layers if id(layer) not in cells}  # fmt: skip


def _name(place: str, names: dict[str, str]) -> str:
    """Return the innermost layer that a name scope is in; TensorFlow numbers a layer's calls."""
    for part in reversed(place.split("/")):
        for name in (part, re.sub(r"_\d+$", "", part)):
            if name in names:
                return names[name]
    return "the model itself"


@contextmanager
def _inference_of_statistics() -> Iterator[None]:
    """Let batch normalisation, which the written module has, do the same in both modes."""
    layer = keras.layers.BatchNormalization
    usual = layer.call

    def call(layer: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        return usual(layer, inputs, training=False, mask=mask)

    with mock.patch.object(layer, "call", call):
        yield


def _operators(model: Any, signature: Signature | None, training: bool) -> dict[str, Counter[str]]:
    """Return how often each operator is there, by the path of the layer."""
    inputs, call = keras_call(model, signature, training)
    function = tf.function(call, autograph=False).get_concrete_function(*map(tensor_spec, inputs))
    found: dict[str, Counter[str]] = {}
    for operator in function.graph.get_operations():
        if operator.type not in _QUIET:
            found.setdefault(module_path(operator.name), Counter())[operator.type] += 1
    return found
