"""Small changes of a graph, of which the kinds of fault are made."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import onnx_ir as ir

_numbers = count()


def attribute(node: ir.Node, name: str, default: Any = None) -> Any:
    """Return the value of an attribute, a string as text."""
    found = node.attributes.get(name)
    if found is None:
        return default
    return found.value


def set_attribute(node: ir.Node, name: str, value: Any) -> None:
    """Set an attribute."""
    made = ir.convenience.convert_attributes({name: value})[0]
    node.attributes[name] = made


def initializer(graph: ir.Graph, array: np.ndarray) -> ir.Value:
    """Add a constant to a graph."""
    name = f"planted_{next(_numbers)}"
    value = ir.Value(
        name=name,
        shape=ir.Shape(array.shape),
        type=ir.TensorType(ir.DataType.from_numpy(array.dtype)),
        const_value=ir.tensor(np.array(array, order="C"), name=name),
    )
    graph.register_initializer(value)
    return value


def put(node: ir.Node, index: int, array: np.ndarray) -> None:
    """Let a node read a constant, where it read something else."""
    assert node.graph is not None
    node.replace_input_with(index, initializer(_graph(node), array))


def set_weight(value: ir.Value, array: np.ndarray) -> None:
    """Give an initializer other content, for all that read it."""
    assert value.const_value is not None
    array = np.array(array, value.const_value.numpy().dtype, order="C")
    value.const_value = ir.tensor(array, name=value.name)


def before(
    node: ir.Node,
    operator: str,
    inputs: Sequence[ir.Value | None | np.ndarray],
    **attributes: Any,
) -> ir.Value:
    """Compute something new before a node and return it; arrays become constants."""
    made = _node(node, operator, inputs, attributes)
    _graph(node).insert_before(node, made)
    return made.outputs[0]


def replace(
    node: ir.Node,
    operator: str,
    inputs: Sequence[ir.Value | None | np.ndarray],
    **attributes: Any,
) -> None:
    """Let another operator compute the first output of a node, from the given inputs."""
    made = before(node, operator, inputs, **attributes)
    redirect(node.outputs[0], made)


def after(
    value: ir.Value,
    operator: str,
    more: Sequence[ir.Value | None | np.ndarray] = (),
    **attributes: Any,
) -> ir.Value:
    """Put an operator behind a value: whoever read the value reads its result."""
    node = value.producer()
    assert node is not None
    made = _node(node, operator, (value, *more), attributes)
    _graph(node).insert_after(node, made)
    redirect(value, made.outputs[0])
    made.replace_input_with(0, value)
    return made.outputs[0]


def redirect(old: ir.Value, new: ir.Value) -> None:
    """Let whoever read one value read another one; an output of the graph keeps its name."""
    graph_output = old.is_graph_output()
    name, kind, shape = old.name, old.type, old.shape
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    if graph_output:
        old.name = f"planted_{next(_numbers)}"
        new.name, new.type, new.shape = name, kind, shape


def bypass(node: ir.Node, index: int) -> None:
    """Take a node out: whoever read its result reads one of its inputs."""
    source = node.inputs[index]
    assert source is not None
    replace(node, "Identity", [source])


def _node(node: ir.Node, operator: str, inputs: Any, attributes: dict[str, Any]) -> ir.Node:
    graph = _graph(node)
    values = [initializer(graph, x) if isinstance(x, np.ndarray) else x for x in inputs]
    made = ir.node(operator, values, attributes or None)
    for value in made.outputs:
        value.name = f"planted_{next(_numbers)}"
    made.name = f"planted_{next(_numbers)}"
    return made


def _graph(node: ir.Node) -> ir.Graph:
    graph = node.graph
    assert isinstance(graph, ir.Graph)
    return graph
