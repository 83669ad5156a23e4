"""A result as plain data: dictionaries, lists, texts and numbers, nothing that JSON lacks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from enum import Enum
from typing import Any

NOT_FINITE = ("nan", "inf", "-inf")
"""Texts that stand for the floats that JSON does not have."""


def plain(value: Any) -> Any:
    """Return a result, or a part of one, as plain data.

    A dataclass becomes a dictionary of its fields, and of its verdict (`passed`) where it has one.

    Raises:
        TypeError: a value is of a type that no report may hold.
    """
    if isinstance(value, Enum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in published(value)]
        names += ["passed"] if has_verdict(type(value)) else []
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"a report cannot hold a {type(value).__name__}")


def published(kind: Any) -> list[Field[Any]]:
    """Return the fields of a dataclass that reports show: all but those marked otherwise."""
    return [field for field in fields(kind) if field.metadata.get("published", True)]


def has_verdict(kind: type) -> bool:
    """Tell whether `passed` is worked out rather than stored."""
    return isinstance(getattr(kind, "passed", None), property)
