"""DenseNet-121 in Keras, after Huang et al. 2017."""

from __future__ import annotations

import keras
from keras import layers

BLOCKS, GROWTH, FIRST, FINDINGS = (6, 12, 24, 16), 32, 64, 14
EPSILON = 1e-5
"""PyTorch's; Keras would take 1e-3."""


def norm_relu(x, name: str):
    """BatchNorm, then ReLU."""
    x = layers.BatchNormalization(epsilon=EPSILON, name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def conv(x, filters: int, size: int, name: str):
    """Convolution without bias that keeps the image's size."""
    return layers.Conv2D(filters, size, padding="same", use_bias=False, name=name)(x)


def dense_layer(x, name: str):
    """Add 32 channels: bottleneck 1x1, then 3x3, each behind BatchNorm and ReLU."""
    new = conv(norm_relu(x, f"{name}_norm1"), 4 * GROWTH, 1, f"{name}_conv1")
    new = conv(norm_relu(new, f"{name}_norm2"), GROWTH, 3, f"{name}_conv2")
    return layers.Concatenate(name=f"{name}_concat")([x, new])


def transition(x, name: str):
    """Halve the channels and the image."""
    x = conv(norm_relu(x, f"{name}_norm"), x.shape[-1] // 2, 1, f"{name}_conv")
    return layers.AveragePooling2D(2, name=f"{name}_pool")(x)


def build() -> keras.Model:
    """Return the model: images ``[batch, 64, 64, 3]`` -> findings ``[batch, 14]``, float32."""
    x = images = keras.Input((64, 64, 3), name="x")
    x = layers.ZeroPadding2D(3, name="pad0")(x)
    x = layers.Conv2D(FIRST, 7, strides=2, use_bias=False, name="conv0")(x)
    x = norm_relu(x, "norm0")
    x = layers.ZeroPadding2D(1, name="pad1")(x)  # as good as -inf behind a ReLU
    x = layers.MaxPooling2D(3, strides=2, name="pool0")(x)
    for block, count in enumerate(BLOCKS, 1):
        for layer in range(1, count + 1):
            x = dense_layer(x, f"block{block}_layer{layer}")
        if block < len(BLOCKS):
            x = transition(x, f"transition{block}")
    x = layers.GlobalAveragePooling2D(name="pool5")(norm_relu(x, "norm5"))
    findings = layers.Dense(FINDINGS, activation="sigmoid", name="classifier")(x)
    return keras.Model(images, findings, name="densenet121")
