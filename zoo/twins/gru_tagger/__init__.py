"""The bidirectional GRU tagger."""

from zoo.entry import Entry, Side
from zoo.rules import embedding, gru, linear

ENTRY = Entry(
    name="gru_tagger",
    summary="bidirectional GRU tagger, logits per token, dynamic length",
    torch=Side(
        ("tokens:int64[batch,length]",),
        "zoo.twins.gru_tagger.pytorch:build",
        weights_only=True,
    ),
    tf=Side(("tokens:int64[batch,length]",), "zoo.twins.gru_tagger.keras:build"),
    seed=9,
    name_map=(
        *embedding("embedding", "embedding"),
        *gru("gru", "gru/forward_gru"),
        *gru("gru", "gru/backward_gru", suffix="l0_reverse"),
        *linear("tags", "tags"),
    ),
    bounds={"tokens": (0, 149)},
    sizes={"batch": (1, 2, 5), "length": (1, 7, 20)},
)
