"""Names of weights that PyTorch has no place for, and what they are called there."""

from __future__ import annotations

import keyword
from collections.abc import Iterable

from torch import nn

CONSTANTS = "equiport_constants"
"""Name of the child that holds the tensors that are no weights of the source."""

_OWN = frozenset({"code", "signature", "permutations", "names", "arguments", CONSTANTS})
_TAKEN = frozenset(dir(nn.Module())) | _OWN | {"forward"}


def held_names(names: Iterable[str]) -> dict[str, str]:
    """Return what each weight is called in a module: its own name, wherever it can be.

    A part that is an attribute of every `nn.Module` (``type``, ``half``, ``training``), a word of
    Python (an exported program is written down as code), empty, or a weight and a module at once
    gets an underscore.
    """
    names = list(names)
    folders = {name.rpartition(".")[0] for name in names}
    folders |= {".".join(parts[:end]) for parts in (name.split(".") for name in folders)
                for end in range(1, len(parts))}  # fmt: skip
    held: dict[str, str] = {}
    taken = {name for name in names if _fits(name, folders)}
    for name in names:
        held[name] = name
        if name in taken:
            continue
        wish = ".".join(part if _free(part) else f"{part}_" for part in name.split("."))
        while wish in taken or wish in folders:
            wish += "_"
        taken.add(wish)
        held[name] = wish
    return held


def _fits(name: str, folders: set[str]) -> bool:
    return name not in folders and all(map(_free, name.split(".")))


def _free(part: str) -> bool:
    return bool(part) and part not in _TAKEN and not keyword.iskeyword(part)
