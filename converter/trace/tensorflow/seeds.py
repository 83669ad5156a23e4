"""Random generators' states: they advance at every call, and are no weights.

Sampling becomes ONNX's random operators, which draw anew at every call, so nothing reads a state
any more. Every other variable that a call assigns is state (`converter.trace.tensorflow.state`).
"""

from __future__ import annotations

import re
from typing import Any

import tensorflow as tf

_ASSIGNING = frozenset({"AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp"})
_READING = frozenset({"ReadVariableOp", "VariableShape"})
_RANDOM = re.compile(r"Stateless(Random|Truncated|Parameterized|Multinomial|Shuffle|Sample)")
"""Operators that take a seed, and whose results say nothing else about it."""
_SKIP = "RngReadAndSkip"


def without_seed_updates(graph_def: Any, variables: dict[str, Any]) -> Any:
    """Take out what advances the states of random generators.

    Args:
        graph_def: an inlined graph; left as it is.
        variables: placeholder to the variable that it is the handle of.
    """
    graph_def = type(graph_def).FromString(graph_def.SerializeToString())
    nodes = {node.name: node for node in graph_def.node}
    readers = consumers(graph_def)
    dropped: set[str] = set()
    for node in list(graph_def.node):
        if node.op == _SKIP:
            fresh_instead(graph_def, node)
        elif node.op in _ASSIGNING:
            handle = source_of(node.input[0], nodes)
            if is_seed(handle, variables.get(handle), nodes, readers):
                dropped.add(node.name)
    kept = [node for node in graph_def.node if node.name not in dropped]
    del graph_def.node[:]
    graph_def.node.extend(kept)
    for node in graph_def.node:
        left = [name for name in node.input if not (name[0] == "^" and name[1:] in dropped)]
        if len(left) != len(node.input):
            del node.input[:]
            node.input.extend(left)
    return graph_def


def consumers(graph_def: Any) -> dict[str, list[Any]]:
    """Map each node to those that read it."""
    found: dict[str, list[Any]] = {}
    for node in graph_def.node:
        for name in node.input:
            if name[0] != "^":
                found.setdefault(name.partition(":")[0], []).append(node)
    return found


def source_of(name: str, nodes: dict[str, Any]) -> str:
    """Follow identities back to the placeholder of a handle."""
    name = name.partition(":")[0]
    while name in nodes and nodes[name].op == "Identity":
        name = nodes[name].input[0].partition(":")[0]
    return name


def is_seed(
    handle: str, variable: Any, nodes: dict[str, Any], readers: dict[str, list[Any]]
) -> bool:
    """Tell whether whatever reads a variable ends in sampling, or in the variable itself.

    A variable that ends nowhere else and feeds no sampling is a counter, unless it is Keras's own.
    """
    waiting, seen = list(readers.get(handle, ())), set()
    samples = variable is not None and "seed_generator" in variable.name
    while waiting:
        node = waiting.pop()
        if _RANDOM.match(node.op) or node.op in (_SKIP, "RandomUniformInt"):
            samples = True
            continue
        if node.name in seen:
            continue
        seen.add(node.name)
        if node.op in _ASSIGNING:
            if source_of(node.input[0], nodes) != handle:
                return False
            continue
        following = readers.get(node.name, [])
        if not following and node.op not in (*_READING, "NoOp") and is_result(node):
            return False
        waiting += following
    return samples


def is_result(node: Any) -> bool:
    """Tell whether a node without readers is an output of the function, which an identity is."""
    return node.op == "Identity"


def fresh_instead(graph_def: Any, node: Any) -> None:
    """Put random numbers in the place of a generator's state: nothing may take it for fixed."""
    numbers = {"shape": [3], "minval": 0, "maxval": 2**31}
    names = []
    for key, value in numbers.items():
        dtype = tf.int32 if key == "shape" else tf.int64
        constant = graph_def.node.add(op="Const", name=f"{node.name}/{key}")
        constant.attr["dtype"].type = dtype.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, dtype))
        names.append(constant.name)
    node.op = "RandomUniformInt"
    node.ClearField("attr")
    del node.input[:]
    node.input.extend(names)
    node.attr["T"].type = tf.int32.as_datatype_enum
    node.attr["Tout"].type = tf.int64.as_datatype_enum
