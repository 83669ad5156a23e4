"""Keras models of these tests."""

from __future__ import annotations

import keras


def classifier(features: int = 3) -> keras.Model:
    """Build a model of two inputs and two named outputs, one with a dynamic length."""
    x = keras.Input((4,), name="x")
    words = keras.Input((None, 4), name="words")
    hidden = keras.layers.Dense(features, name="hidden")(x)
    pooled = keras.layers.GlobalAveragePooling1D(name="pooled")(words)
    logits = keras.layers.Dense(features, name="logits")(pooled)
    return keras.Model([x, words], {"logits": logits, "hidden": hidden})


def wide() -> keras.Model:
    """Build a model that the weights do not fit."""
    return classifier(9)


class Late(keras.Model):
    """A subclassed model, whose layers are made when it is called."""

    def build(self, shape: tuple) -> None:
        self.dense = keras.layers.Dense(3)
        self.dense.build(shape)

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        return self.dense(x)
