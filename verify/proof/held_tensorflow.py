"""The weights of a Keras model, a `tf.Module` or a loaded SavedModel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from converter.formats.tensorflow_variables import named_variables
from verify.proof.held import Holding, weight_of

if TYPE_CHECKING:
    from converter.formats import Source


def held(source: Source) -> Holding:
    """Read the variables by the names that tracing gives them."""
    holding = Holding()
    for name, variable in named_variables(source.model).items():
        if variable.dtype in (tf.resource, tf.string, tf.variant):
            continue
        role = "parameter" if variable.trainable else "buffer"
        holding.weights[name] = weight_of(name, variable.numpy(), role)
    stored = getattr(source.model, "permutations", None)  # one of our own results, live
    if isinstance(stored, dict):
        holding.permutations = stored
    if source.kind == "tf_function":
        holding.note = "a tf.function does not show its variables"
    return holding
