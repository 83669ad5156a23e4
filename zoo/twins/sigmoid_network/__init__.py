"""The 2-4-8-1 sigmoid network."""

from zoo.entry import Entry, Side
from zoo.rules import linear

ENTRY = Entry(
    name="sigmoid_network",
    summary="2-4-8-1 network, a sigmoid after every layer",
    torch=Side(("x:float32[batch,2]",), "zoo.twins.sigmoid_network.pytorch:build"),
    tf=Side(("x:float32[batch,2]",), "zoo.twins.sigmoid_network.keras:build", own_classes=True),
    seed=2,
    gain=4.0,
    name_map=tuple(
        rule
        for layer in ("first", "second", "third")
        for rule in linear(layer, f"sigmoid_network/{layer}")
    ),
)
