"""The 64-64-10 classifier in Keras."""

from __future__ import annotations

import keras
from keras import layers


def build() -> keras.Model:
    """Return the model, ``[batch, 64]`` -> logits ``[batch, 10]``, float32."""
    return keras.Sequential(
        [
            keras.Input((64,), name="x"),
            layers.Dense(64, activation="relu", name="hidden"),
            layers.Dense(10, name="logits"),
        ],
        name="classifier",
    )
