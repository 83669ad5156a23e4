"""The LSTM text classifier in Keras."""

from __future__ import annotations

import keras
from keras import layers

VOCABULARY, EMBEDDED, HIDDEN, CLASSES = 200, 32, 48, 4


def build() -> keras.Model:
    """Return the model: token ids ``[batch, length]`` int64 -> logits ``[batch, 4]``.

    0 is padding, at the end; the mask makes the LSTM keep its state there.
    """
    tokens = keras.Input((None,), dtype="int64", name="tokens")
    x = layers.Embedding(VOCABULARY, EMBEDDED, mask_zero=True, name="embedding")(tokens)
    x = layers.LSTM(HIDDEN, name="lstm")(x)
    logits = layers.Dense(CLASSES, name="logits")(x)
    return keras.Model(tokens, logits, name="lstm_text_classifier")
