"""How arrays by name become the arguments of a Python callable."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_OPEN = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def parameters_of(function: Callable) -> list[inspect.Parameter]:
    """Return the parameters of a callable; nothing where Python cannot tell them."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def input_names(parameters: list[inspect.Parameter]) -> list[str]:
    """Return the names that values can be given under, required ones and optional ones."""
    return [parameter.name for parameter in parameters if parameter.kind not in _OPEN]


def bind(
    values: Mapping[str, Any], parameters: list[inspect.Parameter]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments and keywords: by name if all names are parameters, else in order."""
    keywords_open = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    names = input_names(parameters)
    if not parameters or not (keywords_open or set(values) <= set(names)):
        return tuple(values.values()), {}
    positional_only = [p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_ONLY]
    args = tuple(values[name] for name in positional_only if name in values)
    return args, {name: value for name, value in values.items() if name not in positional_only}


def by_position(given: Sequence[str], own: Sequence[str]) -> dict[str, str]:
    """Return which own name each given one stands for, where the order alone tells; else nothing.

    It does, as in `bind`, where some given name is none of the callable's own and there are not
    more of them than it takes.
    """
    if not own or set(given) <= set(own) or len(given) > len(own):
        return {}
    return dict(zip(given, own, strict=False))
