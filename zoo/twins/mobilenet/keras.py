"""The MobileNet-like CNN in Keras."""

from __future__ import annotations

import keras
from keras import layers

BLOCKS = ((16, 1, "relu6"), (24, 2, "relu6"), (24, 1, "hard_swish"), (40, 2, "hard_swish"))
"""Output channels, stride and activation of each block."""

STEM, EXPANSION, CLASSES = 16, 4, 10
EPSILON = 1e-5
"""PyTorch's; Keras would take 1e-3."""


def norm(x, name: str, activation: str | None = None):
    """BatchNorm, then the activation."""
    x = layers.BatchNormalization(epsilon=EPSILON, name=f"{name}_norm")(x)
    return layers.Activation(activation, name=f"{name}_{activation}")(x) if activation else x


def pointwise(x, filters: int, name: str, *, bias: bool = False):
    """1x1 convolution."""
    return layers.Conv2D(filters, 1, use_bias=bias, name=name)(x)


def squeeze_excite(x, name: str):
    """Weigh each channel by what its mean over the image says."""
    channels = x.shape[-1]
    y = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    y = layers.ReLU(name=f"{name}_relu")(pointwise(y, channels // 4, f"{name}_squeeze", bias=True))
    y = pointwise(y, channels, f"{name}_excite", bias=True)
    y = layers.Activation("hard_sigmoid", name=f"{name}_hard_sigmoid")(y)
    return layers.Multiply(name=f"{name}_weigh")([x, y])


def inverted_residual(x, outputs: int, stride: int, activation: str, name: str):
    """Expand, filter each channel, weigh the channels, project; add the input where it fits."""
    inputs = x.shape[-1]
    y = pointwise(x, EXPANSION * inputs, f"{name}_expand")
    y = norm(y, f"{name}_expand", activation)
    y = layers.ZeroPadding2D(1, name=f"{name}_pad")(y)  # "same" pads unevenly at stride 2
    y = layers.DepthwiseConv2D(3, strides=stride, use_bias=False, name=f"{name}_depthwise")(y)
    y = squeeze_excite(norm(y, f"{name}_depthwise", activation), name)
    y = norm(pointwise(y, outputs, f"{name}_project"), f"{name}_project")
    return layers.Add(name=f"{name}_add")([x, y]) if stride == 1 and inputs == outputs else y


def build() -> keras.Model:
    """Return the model: images ``[batch, 32, 32, 3]`` -> logits ``[batch, 10]``, float32."""
    x = images = keras.Input((32, 32, 3), name="x")
    x = layers.ZeroPadding2D(1, name="pad")(x)
    x = layers.Conv2D(STEM, 3, strides=2, use_bias=False, name="stem")(x)
    x = norm(x, "stem", "hard_swish")
    for index, block in enumerate(BLOCKS):
        x = inverted_residual(x, *block, name=f"block{index}")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(images, layers.Dense(CLASSES, name="logits")(x), name="mobilenet")
