"""The transformer encoder in Keras."""

from __future__ import annotations

import math

import keras
from keras import layers, ops

VOCABULARY, WIDTH, HEADS, INNER, LAYERS = 100, 32, 4, 64, 2
SIZE = WIDTH // HEADS
MASKED = -1e9
EPSILON = 1e-5
"""PyTorch's; Keras would take 1e-3."""


@keras.saving.register_keras_serializable(package="zoo")
class SinusoidalPositions(keras.layers.Layer):
    """Scale by sqrt(width), add the sines and cosines of the positions; shape and dtype stay.

    ``[batch, length, width]``; the sines come first, then the cosines.
    """

    def call(self, x):
        length, width = ops.shape(x)[1], x.shape[-1]
        place = ops.cast(ops.arange(length), x.dtype)
        rate = ops.arange(0, width, 2, dtype=x.dtype) * (-math.log(10_000.0) / width)
        angle = place[:, None] * ops.exp(rate)
        return x * math.sqrt(width) + ops.concatenate([ops.sin(angle), ops.cos(angle)], axis=-1)


def attention(x, mask, name: str):
    """Multi-head self-attention; ``mask`` is added to the scores, ``[batch, 1, 1, length]``."""
    query, key, value = (
        layers.EinsumDense(
            "blw,whs->blhs", (None, HEADS, SIZE), bias_axes="hs", name=f"{name}_{part}"
        )(x)
        for part in ("query", "key", "value")
    )
    scores = ops.einsum("bqhs,bkhs->bhqk", query, key) / math.sqrt(SIZE)
    mixed = ops.einsum("bhqk,bkhs->bqhs", ops.softmax(scores + mask, axis=-1), value)
    return layers.EinsumDense("blhs,hsw->blw", (None, WIDTH), bias_axes="w", name=f"{name}_output")(
        mixed
    )


def encoder_layer(x, mask, name: str):
    """Attention and feed-forward, each normalised first and added to its input."""
    normed = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm1")(x)
    x = x + attention(normed, mask, name)
    normed = layers.LayerNormalization(epsilon=EPSILON, name=f"{name}_norm2")(x)
    inner = ops.gelu(layers.Dense(INNER, name=f"{name}_expand")(normed), approximate=False)
    return x + layers.Dense(WIDTH, name=f"{name}_contract")(inner)


def build() -> keras.Model:
    """Return the model: token ids ``[batch, length]`` int64 -> ``[batch, length, 32]``; 0 pads."""
    tokens = keras.Input((None,), dtype="int64", name="tokens")
    x = layers.Embedding(VOCABULARY, WIDTH, name="embedding")(tokens)
    x = SinusoidalPositions(name="positions")(x)
    mask = ops.where(ops.equal(tokens, 0), MASKED, 0.0)[:, None, None, :]
    for index in range(LAYERS):
        x = encoder_layer(x, mask, f"layer{index}")
    x = layers.LayerNormalization(epsilon=EPSILON, name="norm")(x)
    return keras.Model(tokens, x, name="transformer_encoder")
