"""Names that nothing else has yet, and names that Python takes."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Container


def free(wish: str, taken: Container[str], separator: str = "_") -> str:
    """Return ``wish`` if it is not taken, else ``wish_2``, ``wish_3``, ... ."""
    name, count = wish, 1
    while name in taken:
        count += 1
        name = f"{wish}{separator}{count}"
    return name


def identifier(text: str) -> str:
    """Return a word that Python takes as a name: ``a-b`` becomes ``a_b``, ``2d`` becomes ``_2d``.

    An empty text stays empty.
    """
    word = unicodedata.normalize("NFKC", re.sub(r"\W", "_", text))
    if word and not word.isidentifier():
        word = f"_{word}"
    if not word.isidentifier():  # e.g. a raised two: \w has it, a name must not
        word = re.sub(r"[^0-9A-Za-z_]", "_", word)
    return f"{word}_" if keyword.iskeyword(word) else word


def class_name(text: str) -> str:
    """Return a word as classes are called: ``digits_cnn`` becomes ``DigitsCnn``.

    An empty text stays empty.
    """
    words = re.split(r"[\W_]+", text)
    return identifier("".join(word[0].upper() + word[1:] for word in words if word))
