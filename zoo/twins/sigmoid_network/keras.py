"""The 2-4-8-1 sigmoid network in Keras."""

from __future__ import annotations

import keras
from keras import layers


class SigmoidNetwork(keras.Model):
    """``[batch, 2]`` -> ``[batch, 1]`` in (0, 1), float32."""

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.first = layers.Dense(4, activation="sigmoid", name="first")
        self.second = layers.Dense(8, activation="sigmoid", name="second")
        self.third = layers.Dense(1, activation="sigmoid", name="third")

    def call(self, x):
        return self.third(self.second(self.first(x)))


def build() -> keras.Model:
    """Return the model, with its weights created."""
    model = SigmoidNetwork(name="sigmoid_network")
    model(keras.Input((2,), name="x"))
    return model
