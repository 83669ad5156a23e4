"""Where in the user's model a TensorFlow node comes from: its name scope, and the line of code."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from converter.errors import TraceError, UnsupportedOp, UnsupportedOpsError
from converter.formats.reading import one_line
from converter.trace.tensorflow.translation import Failure

_CALLS = re.compile(r"(StatefulP|P)artitionedCall(_\d+)?/")
_NUMBER = re.compile(r"__\d+$")
_FRAMEWORKS = ("tensorflow", "keras", "tf_keras", "converter", "verify")


def module_path(node: str) -> str:
    """Return the name scope of a node, without the calls around it."""
    return _CALLS.sub("", node).rpartition("/")[0]


def untranslated(failures: list[Failure], function: Any) -> UnsupportedOpsError:
    """Return the error that lists operators without a translation, and where the model has them."""
    lines = source_lines(function)
    places = {}
    for failure in failures:
        item = UnsupportedOp(
            op=failure.operator,
            version=0,
            node=failure.node,
            module_path=module_path(failure.node),
            source_line=line_of(failure.node, lines),
            reason=failure.reason,
        )
        places[item.op, item.node] = item
    return UnsupportedOpsError(
        list(places.values()),
        stage="tracing TensorFlow to ONNX",
        hint="Replace these operators or layers by others with the same result.",
    )


def failed_as_a_whole(error: Exception, function: Any) -> TraceError:
    """Return the error for a graph that no single operator is to blame for; names what is in it."""
    graphs = [function.graph, *(held.graph for held in nested(function.graph))]
    operators = sorted({operation.type for graph in graphs for operation in graph.get_operations()})
    plain = {"Placeholder", "Const", "Identity", "NoOp", "ReadVariableOp", "PartitionedCall"}
    shown = ", ".join(name for name in operators if name not in plain)
    return TraceError(
        f"tf2onnx could not translate the graph: {one_line(error)}",
        hint=f"Its TensorFlow operators are: {shown}. Convert a part of the model to find the one.",
    )


def nested(graph: Any) -> list[Any]:
    """Return the functions that a graph holds."""
    return [held for held in graph._functions.values() if hasattr(held, "graph")]


def source_lines(function: Any) -> dict[str, str]:
    """Map the names of a function's operators to the lines of the user's code that made them.

    A function that was loaded from a file has no lines.
    """
    lines: dict[str, str] = {}
    folders = framework_folders()
    waiting, seen = [function.graph], set()
    while waiting:
        graph = waiting.pop()
        if id(graph) in seen:
            continue
        seen.add(id(graph))
        for operation in graph.get_operations():
            line = user_line(operation.traceback, folders)
            if line:
                lines.setdefault(operation.name, line)
        waiting += [held.graph for held in nested(graph)]
    return lines


def framework_folders() -> tuple[str, ...]:
    """Return the folders of the frameworks and of Equiport, whose lines are not the user's."""
    found = [sys.modules[name] for name in _FRAMEWORKS if name in sys.modules]
    files = [module.__file__ for module in found if module.__file__]
    return tuple(f"{Path(file).resolve().parent}{os.sep}" for file in files)


def user_line(frames: Any, folders: tuple[str, ...]) -> str:
    """Return ``model.py:12`` of the innermost frame that is no framework's; ``""`` without one."""
    for frame in reversed(list(frames or ())):
        path = Path(frame.filename)
        if path.suffix == ".py" and not str(path.resolve()).startswith(folders):
            return f"{path.name}:{frame.lineno}"
    return ""


def line_of(node: str, lines: dict[str, str]) -> str:
    """Find the line of a node that may have been inlined from a function, or renamed."""
    name = _NUMBER.sub("", node)
    while name:
        if name in lines:
            return lines[name]
        name = name.partition("/")[2]
    return ""
