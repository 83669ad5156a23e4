"""The table of translations: TensorFlow's operator to the function that writes it in ONNX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converter.trace.tensorflow.writer import NodeWriter

Translation = Callable[..., Any]

TRANSLATIONS: dict[str, Callable[..., None]] = {}
"""Operator to what tf2onnx calls: ``(graph, node)``."""


def translates(*operators: str) -> Callable[[Translation], Translation]:
    """Register a translation of TensorFlow operators.

    The function is called with a `NodeWriter` and the operator's inputs. It returns one value, or a
    tuple of one for each output; ``None`` for an output stands where only its being read is
    refused. What it cannot express it refuses with `NotTranslated`.
    """

    def register(function: Translation) -> Translation:
        for operator in operators:
            if operator in TRANSLATIONS:
                raise ValueError(f"{operator} has a translation already")
            TRANSLATIONS[operator] = _called_by_tf2onnx(function, operator)
        return function

    return register


def _called_by_tf2onnx(function: Translation, operator: str) -> Callable[..., None]:
    def call(graph: Any, node: Any, **_: Any) -> None:
        writer = NodeWriter(graph, node, operator)
        results = function(writer, *writer.inputs)
        writer.finish(results if isinstance(results, tuple) else (results,))

    return call
