"""Small Keras models of the kinds that people write."""

from __future__ import annotations

from typing import Any


def built(name: str) -> Any:
    """Return a model by its name, with seeded weights."""
    import keras

    keras.utils.set_random_seed(1)
    return globals()[name](keras.layers)


def lstm(layers: Any) -> Any:
    import keras

    return keras.Sequential(
        [layers.Input((12,), dtype="int32"), layers.Embedding(50, 16),
         layers.LSTM(16, return_sequences=True), layers.LSTM(16), layers.Dense(3)]
    )  # fmt: skip


def bidirectional_gru(layers: Any) -> Any:
    import keras

    return keras.Sequential(
        [layers.Input((None, 8)), layers.Bidirectional(layers.GRU(16, return_sequences=True)),
         layers.Dropout(0.1), layers.Dense(5)]
    )  # fmt: skip


def conv_lstm(layers: Any) -> Any:
    import keras

    return keras.Sequential(
        [layers.Input((4, 8, 8, 2)), layers.ConvLSTM2D(4, 3, padding="same"),
         layers.BatchNormalization(), layers.Flatten(), layers.Dense(3)]
    )  # fmt: skip


def transformer(layers: Any) -> Any:
    """Three blocks of attention and two dense layers, as Keras' guides have them."""
    import keras

    tokens = keras.Input((10,), dtype="int32")
    x = layers.Embedding(50, 32)(tokens)
    for index in range(3):
        attended = layers.MultiHeadAttention(4, 8, dropout=0.1, name=f"attention_{index}")(x, x)
        x = layers.LayerNormalization(epsilon=1e-6)(x + layers.Dropout(0.1)(attended))
        hidden = layers.Dense(64, activation="gelu")(x)
        x = layers.LayerNormalization(epsilon=1e-6)(x + layers.Dense(32)(hidden))
    return keras.Model(tokens, layers.Dense(4)(layers.GlobalAveragePooling1D()(x)))


def several(layers: Any) -> Any:
    """Two inputs, two outputs."""
    import keras

    image, numbers = keras.Input((16, 16, 3), name="image"), keras.Input((5,), name="numbers")
    x = layers.Conv2D(8, 3, activation="relu")(image)
    x = layers.MaxPooling2D()(x)
    x = layers.Flatten()(layers.SeparableConv2D(8, 3, padding="same")(x))
    both = layers.Concatenate()([x, layers.Dense(8, activation="relu")(numbers)])
    outputs = {
        "kind": layers.Dense(3, activation="softmax", name="kind")(both),
        "price": layers.Dense(1, name="price")(both),
    }
    return keras.Model([image, numbers], outputs)


def subclassed(layers: Any) -> Any:
    """A model of layers of one's own."""
    import keras

    class Block(layers.Layer):
        def __init__(self, width: int, **options: Any) -> None:
            super().__init__(**options)
            self.conv = layers.Conv2D(width, 3, padding="same", use_bias=False)
            self.norm = layers.BatchNormalization()

        def call(self, x: Any, training: bool = False) -> Any:
            return x + keras.ops.relu(self.norm(self.conv(x), training=training))

    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.stem = layers.Conv2D(8, 3, padding="same")
            self.blocks = [Block(8) for _ in range(3)]
            self.pool = layers.GlobalAveragePooling2D()
            self.head = layers.Dense(4)

        def call(self, x: Any, training: bool = False) -> Any:
            x = self.stem(x)
            for block in self.blocks:
                x = block(x, training=training)
            return self.head(self.pool(x))

    model = Net()
    model(keras.ops.zeros((1, 16, 16, 3)))
    return model
