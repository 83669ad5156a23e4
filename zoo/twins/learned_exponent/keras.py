"""The learned exponent in Keras."""

from __future__ import annotations

import keras
from keras import ops

from zoo.twins.learned_exponent.data import LEARNING_RATE, STEPS, points


@keras.saving.register_keras_serializable(package="zoo")
class Power(keras.layers.Layer):
    """``x`` -> ``|x| ** p``; any shape, float32."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.p = self.add_weight(name="p", shape=(), initializer="ones")
        super().build(input_shape)

    def call(self, x):
        return ops.power(ops.abs(x), self.p)


def build() -> keras.Model:
    """Return the untrained model."""
    x = keras.Input((), name="x")
    return keras.Model(x, Power(name="power")(x), name="learned_exponent")


def train(model: keras.Model, seed: int) -> None:
    """Fit the exponent by stochastic gradient descent, in place; float32, deterministic."""
    x, y = points(seed)
    model.compile(keras.optimizers.SGD(LEARNING_RATE), "mse")
    stream = ((x, y) for _ in range(STEPS))
    model.fit(stream, steps_per_epoch=STEPS, shuffle=False, verbose=0)
