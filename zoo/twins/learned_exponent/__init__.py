"""The learned exponent: the smallest model that is really trained."""

from zoo.entry import Entry, Side
from zoo.rules import same

ENTRY = Entry(
    name="learned_exponent",
    summary="y = |x| ** p with one trained parameter, fitted by SGD",
    torch=Side(
        ("x:float32[batch]",),
        "zoo.twins.learned_exponent.pytorch:build",
        "zoo.twins.learned_exponent.pytorch:train",
    ),
    tf=Side(
        ("x:float32[batch]",),
        "zoo.twins.learned_exponent.keras:build",
        "zoo.twins.learned_exponent.keras:train",
        own_classes=True,
    ),
    name_map=(same("power/p", "p"),),
    sizes={"batch": (1, 2, 33)},
    score="zoo.twins.learned_exponent.data:score",
)
