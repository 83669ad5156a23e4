"""The LSTM text classifier."""

from zoo.entry import Entry, Side
from zoo.rules import embedding, linear, lstm

ENTRY = Entry(
    name="lstm_text_classifier",
    summary="LSTM text classifier over padded token ids, dynamic length",
    torch=Side(
        ("tokens:int64[batch,length]",),
        "zoo.twins.lstm_text_classifier.pytorch:build",
        weights_only=True,
    ),
    tf=Side(("tokens:int64[batch,length]",), "zoo.twins.lstm_text_classifier.keras:build"),
    seed=4,
    name_map=(
        *embedding("embedding", "embedding"),
        *lstm("lstm", "lstm"),
        *linear("logits", "logits"),
    ),
    bounds={"tokens": (0, 199)},
    padded=frozenset({"tokens"}),
    sizes={"batch": (1, 2, 5), "length": (1, 7, 20)},
)
