"""The U-Net in Keras."""

from __future__ import annotations

import keras
from keras import layers

WIDTH, CLASSES = 12, 3
EPSILON = 1e-5
"""PyTorch's; Keras would take 1e-3."""


def stage(x, filters: int, name: str):
    """Two 3x3 convolutions, each with BatchNorm and ReLU."""
    for index in (1, 2):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv{index}")(x)
        x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_norm{index}")(x)
        x = layers.ReLU(name=f"{name}_relu{index}")(x)
    return x


def grow(x, skip, filters: int, size: int, name: str):
    """Double the image by a transposed convolution and put the skip connection before it."""
    x = layers.Conv2DTranspose(filters, size, strides=2, padding="same", name=name)(x)
    return layers.Concatenate(name=f"{name}_concat")([skip, x])


def build() -> keras.Model:
    """Return the model: images ``[batch, 32, 32, 3]`` -> logits per pixel, the same shape."""
    images = keras.Input((32, 32, 3), name="x")
    first = stage(images, WIDTH, "down1")
    second = stage(layers.MaxPooling2D(2, name="pool1")(first), 2 * WIDTH, "down2")
    bottom = stage(layers.MaxPooling2D(2, name="pool2")(second), 4 * WIDTH, "bottom")
    x = stage(grow(bottom, second, 2 * WIDTH, 2, "grow2"), 2 * WIDTH, "up2")
    x = stage(grow(x, first, WIDTH, 4, "grow1"), WIDTH, "up1")
    return keras.Model(images, layers.Conv2D(CLASSES, 1, name="logits")(x), name="unet")
