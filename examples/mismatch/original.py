"""The model that is in production: a small text classifier in Keras."""

from __future__ import annotations

import keras
from keras import layers

WORDS, LENGTH, WIDTH, CLASSES, BLOCKS = 200, 16, 32, 4, 3


def attention(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Let each place of a text read all others."""
    query, key, value = (layers.Dense(WIDTH, name=f"{name}_{part}")(x) for part in "qkv")
    scores = keras.ops.matmul(query, keras.ops.transpose(key, (0, 2, 1))) / WIDTH**0.5
    return layers.Dense(WIDTH, name=f"{name}_out")(
        keras.ops.matmul(keras.ops.softmax(scores, axis=-1), value)
    )


def block(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Add attention, then two dense layers, each behind a normalisation."""
    x = x + attention(layers.LayerNormalization(name=f"{name}_norm1")(x), name)
    hidden = layers.LayerNormalization(name=f"{name}_norm2")(x)
    hidden = layers.Dense(4 * WIDTH, activation="gelu", name=f"{name}_up")(hidden)
    return x + layers.Dense(WIDTH, name=f"{name}_down")(hidden)


def original(seed: int = 0) -> keras.Model:
    """Build the classifier; its weights stand for trained ones."""
    keras.utils.set_random_seed(seed)
    tokens = keras.Input((LENGTH,), dtype="int32", name="tokens")
    spread = keras.initializers.RandomNormal(stddev=2.0)
    x = layers.Embedding(WORDS, WIDTH, embeddings_initializer=spread, name="words")(tokens)
    for index in range(BLOCKS):
        x = block(x, f"block{index}")
    pooled = layers.GlobalAveragePooling1D(name="pooled")(x)
    return keras.Model(tokens, layers.Dense(CLASSES, name="logits")(pooled))
