"""The handwritten-digit CNN in Keras."""

from __future__ import annotations

import keras
from keras import layers

from zoo.twins.digits_cnn.data import BATCH, EPOCHS, LEARNING_RATE, batches, load

EPSILON = 1e-5
"""PyTorch's; Keras would take 1e-3."""


def build(seed: int = 0) -> keras.Model:
    """Return the untrained model, images ``[batch, 8, 8, 1]`` -> logits ``[batch, 10]``."""
    x = images = keras.Input((8, 8, 1), name="x")
    for index, filters in enumerate((16, 32), 1):
        initializer = keras.initializers.GlorotUniform(seed=seed + index)
        x = layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=False,
            kernel_initializer=initializer,
            name=f"conv{index}",
        )(x)
        x = layers.BatchNormalization(momentum=0.9, epsilon=EPSILON, name=f"norm{index}")(x)
        x = layers.ReLU(name=f"relu{index}")(x)
        x = layers.MaxPooling2D(2, name=f"pool{index}")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dropout(0.25, seed=seed, name="dropout")(x)
    initializer = keras.initializers.GlorotUniform(seed=seed)
    logits = layers.Dense(10, kernel_initializer=initializer, name="logits")(x)
    return keras.Model(images, logits, name="digits_cnn")


def train(model: keras.Model, seed: int) -> None:
    """Train in place with Adam; deterministic in ``seed``."""
    digits = load()[0]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(LEARNING_RATE), loss)
    stream = ((b.images.transpose(0, 2, 3, 1), b.labels) for b in batches(digits, seed))
    steps = len(digits.labels) // BATCH
    model.fit(stream, epochs=EPOCHS, steps_per_epoch=steps, shuffle=False, verbose=0)
