"""The model that is in production: a small image classifier in Keras."""

from __future__ import annotations

import keras
from keras import layers

SIZE, CLASSES, WIDTH = 32, 10, 24


def block(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Join what a convolution sees with what the neighbourhood is like on average."""
    seen = layers.Conv2D(WIDTH, 3, padding="same", activation="relu", name=f"{name}_seen")(x)
    mean = layers.AveragePooling2D(3, strides=1, padding="same", name=f"{name}_pool")(x)
    mean = layers.Conv2D(WIDTH, 1, activation="relu", name=f"{name}_mean")(mean)
    return layers.Concatenate(name=f"{name}_joined")([seen, mean])


def original(seed: int = 0) -> keras.Model:
    """Build the classifier; its weights stand for trained ones."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((SIZE, SIZE, 3), name="image")
    x = layers.Conv2D(WIDTH, 3, padding="same", activation="relu", name="stem")(image)
    for index in range(2):
        x = layers.MaxPooling2D(2, name=f"smaller{index}")(block(x, f"block{index}"))
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    return keras.Model(image, layers.Dense(CLASSES, name="logits")(x))
