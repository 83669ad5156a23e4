"""Write down the defaults of arguments that a call leaves out and its translation wants."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import torch

from converter.trace.pytorch.unread import plain


def write_defaults(node: torch.fx.Node, translation: Callable[..., Any]) -> None:
    """Add the missing positional arguments up to the last one that the translation wants."""
    assert isinstance(node.target, torch._ops.OpOverload)
    arguments = [a for a in node.target._schema.arguments if not a.kwarg_only]
    missing = [
        argument.default_value
        for argument in arguments[len(node.args) : wanted(translation)]
        if argument.name not in node.kwargs
    ]
    node.args = (*node.args, *missing)


@cache
def wanted(translation: Callable[..., Any]) -> int:
    """Return how many positional arguments a translation cannot do without."""
    kinds = inspect.Parameter
    needed = [
        index + 1
        for index, parameter in enumerate(inspect.signature(plain(translation)).parameters.values())
        if parameter.default is kinds.empty
        and parameter.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    ]
    return max(needed, default=0)
