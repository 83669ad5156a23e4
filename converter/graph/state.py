"""State: buffers that a model changes in each call.

A buffer whose value the next call needs stays an initializer with the role ``buffer``. Beside the
role it says which output of the graph is its new value::

    value.metadata_props["equiport.state"] = "cache_out"

These outputs stand behind the model's own. They are none of its signature's outputs: the targets
store them in the buffer, at the end of a call. `explicit` gives the other form, in which a graph is
a function again: each state is an input and an output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import onnx_ir as ir

from converter.naming import free
from converter.signature import State

STATE = "equiport.state"


def declare_state(model: ir.Model, outputs: Mapping[str, str]) -> None:
    """Say of each buffer which output is its new value; in place.

    Args:
        outputs: name of the initializer to name of the output.
    """
    for name, output in outputs.items():
        model.graph.initializers[name].metadata_props[STATE] = output


def is_state(value: ir.Value) -> bool:
    """Tell whether an initializer changes from call to call."""
    return STATE in value.metadata_props


def buffers(model: ir.Model) -> dict[str, ir.Value]:
    """Return the initializers that are state, by the name of the output that is their new value."""
    return {
        value.metadata_props[STATE]: value
        for value in model.graph.initializers.values()
        if is_state(value)
    }


def own_outputs(model: ir.Model) -> list[ir.Value]:
    """Return the outputs that are the model's own, without the new values of buffers."""
    new = buffers(model)
    return [value for value in model.graph.outputs if value.name not in new]


def state_of(model: ir.Model) -> tuple[State, ...]:
    """Describe the state that a graph keeps, in the order of its buffers."""
    from converter.graph.signatures import dtype_name

    described = []
    for value in buffers(model).values():
        tensor = value.const_value
        assert tensor is not None
        shape = tuple(int(size) for size in tensor.shape.numpy())
        described.append(State(value.name or "", dtype_name(tensor.dtype), shape))
    return tuple(described)


def output_name(buffer: str, taken: set[str]) -> str:
    """Return a name for the output that is a buffer's new value; it becomes one of ``taken``."""
    return _fresh(f"{buffer}_out", taken)


def explicit(model: ir.Model) -> tuple[ir.Model, tuple[State, ...]]:
    """Return a copy in which each state is an input ``..._in`` and an output ``..._out``.

    The initializer stays, although nothing reads it: it is what the first call has to be given.

    Returns:
        The copy, and the state with the names of its inputs and outputs.
    """
    copy = model.clone()
    graph = copy.graph
    taken = {value.name or "" for value in (*graph.inputs, *graph.initializers.values())}
    taken |= {value.name or "" for node in graph.all_nodes() for value in node.outputs}
    described = {state.name: state for state in state_of(copy)}
    states = []
    for output, value in buffers(copy).items():
        state = described[value.name or ""]
        name = _fresh(f"{state.name}_in", taken)
        given = ir.Value(name=name, shape=ir.Shape(state.shape), type=value.type)
        if given.type is None:
            assert value.const_value is not None
            given.type = ir.TensorType(value.const_value.dtype)
        value.replace_all_uses_with(given, replace_graph_outputs=True)
        graph.inputs.append(given)
        del value.metadata_props[STATE]
        states.append(State(state.name, state.dtype, state.shape, name, output))
    _apart(graph)
    return copy, tuple(states)


def _apart(graph: ir.Graph) -> None:
    """Give an output that is an input as it is a node of its own."""
    for index, value in enumerate(list(graph.outputs)):
        if value.producer() is None and value.is_graph_input():
            node = ir.node("Identity", [value])
            copy = node.outputs[0]
            copy.type, copy.shape, copy.name = value.type, value.shape, f"{value.name}_same"
            graph.append(node)
            graph.outputs[index] = copy


def _fresh(wish: str, taken: set[str]) -> str:
    name = free(wish, taken)
    taken.add(name)
    return name


@contextmanager
def no_constants(model: ir.Model) -> Iterator[None]:
    """Hide the values of the state from whoever takes an initializer for a constant."""
    held = [(value, value.const_value) for value in buffers(model).values()]
    for value, tensor in held:
        assert tensor is not None
        value.shape, value.type = ir.Shape(tensor.shape.numpy()), ir.TensorType(tensor.dtype)
        del model.graph.initializers[value.name or ""]
        value.const_value = None
        model.graph.inputs.append(value)
    try:
        yield
    finally:
        for value, tensor in held:
            model.graph.inputs.remove(value)
            value.const_value = tensor
            model.graph.register_initializer(value)
