"""Words for the symbols that `torch.export` calls dynamic dimensions by (``s77``)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from converter.signature import Dim

_SYMBOL = re.compile(r"[su]\d+")


def words_of(inputs: Iterable[tuple[str, Iterable[Dim]]]) -> dict[str, str]:
    """Name each symbol after the place where it first stands, as TensorFlow's open dimensions are.

    Args:
        inputs: name and shape of each input, in order.

    Returns:
        Symbol to word: ``batch`` for a first axis, ``<input>_dim_<axis>`` for another.
    """
    words: dict[str, str] = {}
    for name, shape in inputs:
        for axis, dim in enumerate(shape):
            if not isinstance(dim, str) or not _SYMBOL.fullmatch(dim) or dim in words:
                continue
            first = axis == 0 and "batch" not in words.values()
            words[dim] = "batch" if first else f"{name}_dim_{axis}"
    return words


def renamed(dim: Dim, words: Mapping[str, str]) -> Dim:
    """Put the words into a dimension, into an expression such as ``2*s77`` too."""
    if isinstance(dim, int):
        return dim
    return _SYMBOL.sub(lambda match: words.get(match[0], match[0]), dim)
