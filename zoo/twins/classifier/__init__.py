"""The 64-64-10 classifier."""

from zoo.entry import Entry, Side
from zoo.rules import linear

ENTRY = Entry(
    name="classifier",
    summary="64-64-10 classifier: two dense layers with ReLU, logits",
    torch=Side(("x:float32[batch,64]",), "zoo.twins.classifier.pytorch:build"),
    tf=Side(("x:float32[batch,64]",), "zoo.twins.classifier.keras:build"),
    seed=1,
    name_map=(*linear("hidden", "classifier/hidden"), *linear("logits", "classifier/logits")),
)
