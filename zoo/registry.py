"""All entries of the zoo, by name, in the order in which `zoo list` prints them."""

from __future__ import annotations

from difflib import get_close_matches

from converter.errors import UsageError
from zoo.architectures import ARCHITECTURES
from zoo.entry import Entry
from zoo.twins import (
    classifier,
    densenet121,
    digits_cnn,
    gru_tagger,
    learned_exponent,
    lstm_text_classifier,
    mobilenet,
    sigmoid_network,
    transformer_encoder,
    unet,
)

TWINS = tuple(
    twin.ENTRY
    for twin in (
        learned_exponent,
        classifier,
        sigmoid_network,
        digits_cnn,
        lstm_text_classifier,
        transformer_encoder,
        densenet121,
        mobilenet,
        unet,
        gru_tagger,
    )
)

ENTRIES: dict[str, Entry] = {entry.name: entry for entry in (*TWINS, *ARCHITECTURES)}


def names() -> tuple[str, ...]:
    """Return the names of all entries."""
    return tuple(ENTRIES)


def get(name: str) -> Entry:
    """Return the entry called ``name``.

    Raises:
        UsageError: there is none.
    """
    if name in ENTRIES:
        return ENTRIES[name]
    close = get_close_matches(name, ENTRIES, n=1)
    hint = f"Did you mean {close[0]!r}?" if close else "`zoo list` prints all names."
    raise UsageError(f"the zoo has no model called {name!r}", hint=hint)
