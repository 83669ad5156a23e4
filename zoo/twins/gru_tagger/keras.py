"""The bidirectional GRU tagger in Keras."""

from __future__ import annotations

import keras
from keras import layers

VOCABULARY, EMBEDDED, HIDDEN, TAGS = 150, 24, 32, 9


def build() -> keras.Model:
    """Return the model: token ids ``[batch, length]`` int64 -> logits ``[batch, length, 9]``."""
    tokens = keras.Input((None,), dtype="int64", name="tokens")
    x = layers.Embedding(VOCABULARY, EMBEDDED, name="embedding")(tokens)
    gru = layers.GRU(HIDDEN, return_sequences=True, name="gru")
    x = layers.Bidirectional(gru, name="gru")(x)
    return keras.Model(tokens, layers.Dense(TAGS, name="tags")(x), name="gru_tagger")
