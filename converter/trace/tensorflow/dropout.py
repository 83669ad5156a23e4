"""Dropout of Keras' layers: they do nothing in inference, and are kept all the same.

While a model is traced they leave an operator behind that gives its input back: `PreventGradient`,
which no layer uses. Its name says the kind, its message the rate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import keras
import tensorflow as tf

from converter.graph.dropout import ALPHA, CHANNELS, ELEMENTS, GAUSSIAN, NOISE
from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, Value

_PREFIX = "equiport_dropout_"
_NAME = re.compile(rf"(^|/){_PREFIX}(?P<kind>[a-z]+)[^/]*$")


@contextmanager
def kept() -> Iterator[None]:
    """Let Keras' layers of dropout leave an operator behind."""
    layers = keras.layers
    kinds = {
        layers.Dropout: _plain, layers.SpatialDropout1D.__base__: _channels,
        layers.AlphaDropout: _alpha, layers.GaussianDropout: _of(GAUSSIAN),
        layers.GaussianNoise: _noise,
    }  # fmt: skip
    with ExitStack() as stack:
        for layer, said in kinds.items():
            call = _marking(said, layer.call)
            stack.enter_context(mock.patch.object(layer, "call", call))
        yield


Said = tuple[str, float] | None
"""Kind and rate of a layer; ``None``: none of the kinds that we know."""


def _marking(said: Callable[[Any], Said], usual: Callable[..., Any]) -> Callable[..., Any]:
    def call(layer: Any, inputs: Any, training: bool = False) -> Any:
        known = said(layer)
        if known is None or not known[1]:
            return usual(layer, inputs, training=training)
        kind, rate = known
        # The layer's own path, as its weights would have it; around a call Keras numbers scopes.
        with tf.name_scope(f"{getattr(layer, 'path', None) or layer.name}/"):
            return tf.raw_ops.PreventGradient(
                input=inputs, message=repr(float(rate)), name=f"{_PREFIX}{kind}"
            )

    return call


def _plain(layer: Any) -> Said:
    shape = layer.noise_shape
    if shape is None:
        return ELEMENTS, layer.rate
    between = set(shape[1:-1])
    whole = between == {1} and shape[0] != 1 and shape[-1] != 1
    return (CHANNELS, layer.rate) if whole else None


def _channels(layer: Any) -> Said:
    last = getattr(layer, "data_format", "channels_last") == "channels_last"
    return (CHANNELS, layer.rate) if last else None


def _alpha(layer: Any) -> Said:
    return (ALPHA, layer.rate) if layer.noise_shape is None else None


def _noise(layer: Any) -> Said:
    return NOISE, layer.stddev


def _of(kind: str) -> Callable[[Any], Said]:
    return lambda layer: (kind, layer.rate)


@translates("PreventGradient")
def dropout(write: NodeWriter, x: Value) -> Value:
    """Dropout that a layer left behind; any other `PreventGradient` is an identity."""
    if not _NAME.search(write.scope):
        same: Value = write.Identity(x)
        return same
    rate = float(write.attribute("message", b"0"))
    result: Value = write.Dropout(x, rate)
    return result


def kind_in(scope: str) -> str | None:
    """Return the kind that the last part of a name scope says."""
    found = _NAME.search(scope)
    return found["kind"] if found else None
