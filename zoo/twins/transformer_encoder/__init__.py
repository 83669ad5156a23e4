"""The transformer encoder with hand-written attention."""

from zoo.entry import Entry, Rule, Side
from zoo.rules import attention_heads, embedding, layer_norm, linear

LAYERS, HEADS = 2, 4


def _layer(index: int) -> tuple[Rule, ...]:
    torch, keras = f"layers.{index}", f"layer{index}"
    split = (
        rule
        for part in ("query", "key", "value")
        for rule in attention_heads(f"{torch}.attention.{part}", f"{keras}_{part}", HEADS)
    )
    join = attention_heads(f"{torch}.attention.output", f"{keras}_output", HEADS, output=True)
    return (
        *split,
        *join,
        *layer_norm(f"{torch}.norm1", f"{keras}_norm1"),
        *linear(f"{torch}.expand", f"{keras}_expand"),
        *linear(f"{torch}.contract", f"{keras}_contract"),
        *layer_norm(f"{torch}.norm2", f"{keras}_norm2"),
    )


ENTRY = Entry(
    name="transformer_encoder",
    summary="transformer encoder: attention by hand, sinusoidal positions, padding mask",
    torch=Side(("tokens:int64[batch,length]",), "zoo.twins.transformer_encoder.pytorch:build"),
    tf=Side(
        ("tokens:int64[batch,length]",),
        "zoo.twins.transformer_encoder.keras:build",
        own_classes=True,
    ),
    seed=5,
    name_map=(
        *embedding("embedding", "embedding"),
        *(rule for index in range(LAYERS) for rule in _layer(index)),
        *layer_norm("norm", "norm"),
    ),
    bounds={"tokens": (0, 99)},
    padded=frozenset({"tokens"}),
    sizes={"batch": (1, 2, 5), "length": (1, 6, 17)},
)
