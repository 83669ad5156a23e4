"""Names that people give, and that a program may trip over."""

from __future__ import annotations

import random

PLAIN = ("x", "y", "z", "image", "tokens", "mask", "features", "a1", "out", "hidden_state")
ODD = (
    "größe", "данные", "输入", "input", "id", "type", "half", "training", "modules", "values",
    "self_", "len", "shape", "T", "float", "to", "forward", "call", "name", "x_1", "_x", "eval",
    "weight", "bias", "tf", "torch", "np", "state_dict", "children", "trainable", "dtype", "call_",
)  # fmt: skip
KEYWORDS = ("class", "for", "None", "in", "a.b", "a/b", "a b", "2x", "", "x:0", "'", "%s")
"""Keys of a dict may be anything."""

OWNED_BY_MODULES = ("training", "forward", "call", "trainable", "name", "dtype", "eval")


def draw(rng: random.Random, count: int, odd: tuple[str, ...], share: float) -> list[str]:
    """Return different names."""
    names: list[str] = []
    while len(names) < count:
        name = rng.choice(odd if rng.random() < share else PLAIN)
        if name not in names:
            names.append(name)
    return names


def input_names(rng: random.Random, count: int, form: str) -> list[str]:
    # The text of a program calls these; a parameter of that name would hide them.
    hidden = ("tf", "torch", "np", "len", "float", "id")
    odd = tuple(name for name in ODD if name not in hidden)
    return draw(rng, count, odd, 0.15 if form != "functional" else 0.1)


def key_names(rng: random.Random, count: int) -> list[str]:
    return draw(rng, count, ODD + KEYWORDS, 0.2)


def layer_names(rng: random.Random, tokens: list[str], framework: str) -> dict[str, str]:
    """Return names for some of the layers; the others keep their tokens."""
    taken = ("size", "größe", "слой", "layer", "fc", "conv1", "keys", "norm_", "items", "encoder")
    owned = (
        "half",
        "type",
        "modules",
        "double",
        "parameters",
        "apply",
        "to",
        "children",
        "add_module",
    )
    names = taken if framework == "torch" else taken + owned
    chosen = rng.sample(names, min(len(tokens), len(names)))
    return {token: name for token, name in zip(tokens, chosen, strict=False) if rng.random() < 0.2}
