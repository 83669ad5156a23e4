"""Where a written class comes from, as its docstring."""

from __future__ import annotations

import textwrap

import onnx_ir as ir

from converter.source.classes import Definition
from converter.source.formatting import LINE_LENGTH


def docstring(definition: Definition, model: ir.Model, classes: dict[str, str]) -> list[str]:
    """Return the lines of a class's docstring, indented."""
    text = f'"""{plain_words(_origin(definition, model, classes))}"""'
    return textwrap.wrap(
        text, LINE_LENGTH, initial_indent="    ", subsequent_indent="    ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def _origin(definition: Definition, model: ir.Model, classes: dict[str, str]) -> str:
    path = definition.first.path
    if not path:
        shapes = ", ".join(_border(value) for value in model.graph.inputs)
        results = ", ".join(_border(value) for value in model.graph.outputs)
        return f"{shapes} -> {results}."
    source, _, _ = classes.get(path, "").rpartition(".")
    return f"`{path}` of the source" + (f", from `{source}`." if source else ".")


def _border(value: ir.Value) -> str:
    shape = ", ".join(str(size) for size in value.shape) if value.shape is not None else "..."
    dtype = str(value.dtype).rpartition(".")[2].lower() if value.dtype is not None else "tensor"
    dtype = {"float": "float32", "double": "float64"}.get(dtype, dtype)
    return f"{value.name} {dtype} [{shape}]"


def plain_words(text: str) -> str:
    """Return a text from the model's file as it may stand in a docstring: nothing can end it."""
    text = text.replace("\\", "\\\\").replace('"', "'")
    return "".join(letter if letter.isprintable() else " " for letter in text)
