"""Give the functions of a SavedModel names that depend on the model alone.

TensorFlow numbers functions by a counter of the process, so that the second conversion in one
process would differ from the first; and `fingerprint.pb` holds a random identifier.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_COUNTER = re.compile(r"_(\d+)(?=_|$)")
_ARGUMENT = "_user_specified_name"


def canonical(folder: Path) -> None:
    """Number the functions from 1 in the order in which they were made; in place."""
    from tensorflow.core.protobuf import saved_model_pb2

    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in saved.meta_graphs:
        rename(graph, new_names(item.signature.name for item in graph.graph_def.library.function))
    path.write_bytes(saved.SerializeToString(deterministic=True))
    (folder / "fingerprint.pb").unlink(missing_ok=True)  # optional, and of the former content


def new_names(names: Iterator[str]) -> dict[str, str]:
    """Map each name to its words and its place among all counters."""
    ordered = sorted(names, key=lambda name: ([int(n) for n in _COUNTER.findall(name)][::-1], name))
    return {
        name: f"{_COUNTER.sub('', name)}_{index}" for index, name in enumerate(ordered, start=1)
    }


def rename(graph: Any, names: dict[str, str]) -> None:
    """Rename functions wherever a graph refers to them; in place."""
    library = graph.graph_def.library
    for function in library.function:
        function.signature.name = names[function.signature.name]
        rename_calls(function.node_def, names)
        for attributes in function.arg_attr.values():
            if attributes.attr[_ARGUMENT].s.isdigit():  # what was captured goes by a counter too
                del attributes.attr[_ARGUMENT]
    rename_calls(graph.graph_def.node, names)
    for gradient in library.gradient:
        gradient.function_name = names.get(gradient.function_name, gradient.function_name)
        gradient.gradient_func = names.get(gradient.gradient_func, gradient.gradient_func)
    functions = sorted(library.function, key=lambda function: function.signature.name)
    copies = [type(function).FromString(function.SerializeToString()) for function in functions]
    del library.function[:]
    library.function.extend(copies)
    rename_objects(graph.object_graph_def, names)


def rename_calls(nodes: Any, names: dict[str, str]) -> None:
    """Rename the functions that nodes call."""
    for node in nodes:
        for value in node.attr.values():
            called = [value.func] if value.HasField("func") else list(value.list.func)
            for function in called:
                function.name = names.get(function.name, function.name)


def rename_objects(objects: Any, names: dict[str, str]) -> None:
    """Rename functions in the tree of Python objects."""
    for old, new in names.items():
        if old in objects.concrete_functions:
            content = objects.concrete_functions[old].SerializeToString()
            del objects.concrete_functions[old]
            objects.concrete_functions[new].ParseFromString(content)
    for node in objects.nodes:
        held = node.function.concrete_functions if node.HasField("function") else []
        for index, name in enumerate(held):
            held[index] = names.get(name, name)
        if node.HasField("bare_concrete_function"):
            bare = node.bare_concrete_function
            bare.concrete_function_name = names.get(
                bare.concrete_function_name, bare.concrete_function_name
            )
        if node.HasField("captured_tensor"):
            captured = node.captured_tensor
            captured.concrete_function = names.get(
                captured.concrete_function, captured.concrete_function
            )


def served_as(names: list[str]) -> dict[str, str]:
    """Return a name that TensorFlow takes for each input: its own, wherever it can be."""
    import keyword

    served: dict[str, str] = {}
    for index, name in enumerate(names):
        plain = re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_.\\\\/>-]*", name)
        fits = plain and not keyword.iskeyword(name) and name != "self"
        wish = name if fits else f"input_{index}"
        while wish in served.values() or (not fits and wish in names):
            wish += "_"
        served[name] = wish
    return served


def restore_inputs(folder: Path, served: dict[str, str]) -> None:
    """Give the served inputs of a SavedModel the names of the source; in place.

    Whoever loads it in Python finds those names that Python takes for an argument, and the others
    as `served_as` has them.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    names = {safe: name for name, safe in served.items() if safe != name}
    if not names:
        return
    path = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in saved.meta_graphs:
        for signature in graph.signature_def.values():
            for old in [key for key in signature.inputs if key in names]:
                signature.inputs[names[old]].CopyFrom(signature.inputs[old])
                del signature.inputs[old]
    path.write_bytes(saved.SerializeToString(deterministic=True))
