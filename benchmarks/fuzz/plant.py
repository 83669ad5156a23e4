"""Faults to plant: the fuzzer has to find them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

OPSET = 23


def patch(framework: str, op: str, change: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put another function in the place of an operator's handler."""
    import_module(f"converter.rebuild.{framework}")
    registry = import_module(f"converter.rebuild.{framework}.table").registry
    handler = registry.find("", op, OPSET).function
    changed = functools.wraps(handler)(change(handler))
    setattr(sys.modules[handler.__module__], handler.__name__, changed)


def slightly_off(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A thousandth too large: too little for an eye, too much for rounding."""
    return lambda *inputs, **attributes: handler(*inputs, **attributes) * 1.001


def raising(handler: Callable[..., Any]) -> Callable[..., Any]:
    def call(*inputs: Any, **attributes: Any) -> Any:
        raise KeyError("planted")

    return call


PLANTS: dict[str, Callable[[], None]] = {
    "tensorflow-sigmoid-off": lambda: patch("tensorflow", "Sigmoid", slightly_off),
    "tensorflow-transpose-raises": lambda: patch("tensorflow", "Transpose", raising),
    "pytorch-sigmoid-off": lambda: patch("pytorch", "Sigmoid", slightly_off),
    "pytorch-transpose-raises": lambda: patch("pytorch", "Transpose", raising),
}
