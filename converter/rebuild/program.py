"""A graph as Python source, and how that source becomes a function."""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import onnx_ir as ir

from converter.errors import RebuildError, first_line
from converter.naming import free


@dataclass(frozen=True)
class Origin:
    """Where a line of the written-down graph comes from, in the user's names."""

    node: str
    op: str
    module_path: str
    source_line: str


@dataclass
class Program:
    """A graph as Python source.

    Attributes:
        source: the text; defines ``forward(self, ...)`` with the graph's inputs, which returns the
            output, or a tuple if there are several.
        modules: the names that the text uses, to the names of the Python modules they stand for.
        constants: tensors that are no weights of the source, by the name the text calls them.
        values: attribute values that have no literal, by the name the text calls them.
        weights: the source's parameters and buffers, by their full names, in the source's order.
        origins: line number to origin.
        inputs: names of the inputs, in order.
        outputs: names of the outputs, in order.
        arguments: what ``forward`` calls the inputs.
    """

    source: str
    modules: dict[str, str]
    constants: dict[str, ir.TensorProtocol]
    values: dict[str, Any]
    weights: dict[str, ir.Value]
    origins: dict[int, Origin]
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


def located(error: BaseException, origins: Mapping[int, Origin]) -> RebuildError:
    """Return a typed error that names the node at whose line a program raised ``error``."""
    lines = [
        frame.lineno or 0
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(FILE_NAME)
    ]
    found = [origins[line] for line in lines if line in origins]
    said = first_line(error)
    if not found:
        return RebuildError(f"the rebuilt graph cannot be traced: {said}")
    origin = found[-1]
    return RebuildError(
        f"{origin.op}: {said}",
        node=origin.node,
        module_path=origin.module_path,
        source_line=origin.source_line,
    )


FILE_NAME = "<equiport"


def load_program(source: str, modules: Mapping[str, str], values: Mapping[str, Any], name: str):
    """Compile a program's source and return its ``forward``.

    The source is registered with `linecache`, so that tracebacks show its lines.
    """
    from importlib import import_module

    filename = f"{FILE_NAME} {name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    # A real module: torch.compile looks up the globals of what it traces by their module's name.
    # The same text may come with other attribute values.
    unique = free(f"equiport_graph_{name}", sys.modules)
    module = sys.modules[unique] = ModuleType(unique)
    namespace = vars(module)
    namespace |= {alias: import_module(path) for alias, path in modules.items()}
    namespace["_values"] = dict(values)
    exec(compile(source, filename, "exec"), namespace)  # the text is ours, from the graph
    return namespace["forward"]
