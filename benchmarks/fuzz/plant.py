"""Faults to plant: the fuzzer has to find them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

OPSET = 23


def patch(
    framework: str, op: str, change: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> Callable[[], None]:
    """Put another function in the place of an operator's handler; returns what takes it back."""
    import_module(f"converter.rebuild.{framework}")
    registry = import_module(f"converter.rebuild.{framework}.table").registry
    handler = registry.find("", op, OPSET).function
    module = sys.modules[handler.__module__]
    setattr(module, handler.__name__, functools.wraps(handler)(change(handler)))
    return lambda: setattr(module, handler.__name__, handler)


def slightly_off(handler: Callable[..., Any]) -> Callable[..., Any]:
    """A thousandth too large: too little for an eye, too much for rounding."""
    return lambda *inputs, **attributes: handler(*inputs, **attributes) * 1.001


def raising(handler: Callable[..., Any]) -> Callable[..., Any]:
    def call(*inputs: Any, **attributes: Any) -> Any:
        raise KeyError("planted")

    return call


PLANTS: dict[str, Callable[[], Callable[[], None]]] = {
    "tensorflow-sigmoid-off": lambda: patch("tensorflow", "Sigmoid", slightly_off),
    "tensorflow-transpose-raises": lambda: patch("tensorflow", "Transpose", raising),
    "pytorch-sigmoid-off": lambda: patch("pytorch", "Sigmoid", slightly_off),
    "pytorch-transpose-raises": lambda: patch("pytorch", "Transpose", raising),
}
