"""Models of transformers whose attention does not export: the plain one of the library does.

`transformers` chooses among several ways to compute attention (``sdpa``, ``eager``, ...) by a field
of the model's configuration. They differ in rounding alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from converter.errors import first_line

PLAIN = "eager"
_FIELD = "_attn_implementation_internal"


@contextmanager
def plain_attention(module: torch.nn.Module) -> Iterator[None]:
    """Let every attention of a model be the plain one; afterwards all is as it was."""
    found = configurations(module)
    before = [getattr(config, _FIELD) for config in found]
    try:
        for config in found:
            setattr(config, _FIELD, PLAIN)
        yield
    finally:
        for config, name in zip(found, before, strict=True):
            setattr(config, _FIELD, name)


def configurations(module: torch.nn.Module) -> list[Any]:
    """Return the configurations of transformers in a module, those inside of others included."""
    found: dict[int, Any] = {}
    left = [getattr(child, "config", None) for child in module.modules()]
    while left:
        config = left.pop()
        if _FIELD in getattr(config, "__dict__", {}) and id(config) not in found:
            found[id(config)] = config
            left += list(vars(config).values())
    return list(found.values())


def chosen(module: torch.nn.Module) -> list[str]:
    """Return the kinds of attention that a model uses and that are not the plain one."""
    names = {getattr(config, _FIELD) for config in configurations(module)}
    return sorted(name for name in names if isinstance(name, str) and name != PLAIN)


def note(kinds: list[str], refusal: Exception) -> str:
    """Return what the user is told where the plain attention was traced instead."""
    reason = first_line(refusal)
    return (
        f"the model's attention ({', '.join(kinds)}) cannot be exported, so its plain form "
        f"('{PLAIN}') was; it gives the same but for rounding. The reason: {reason}"
    )
