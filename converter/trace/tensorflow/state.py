"""Variables that a call assigns, as a function has them: new values become outputs.

Works on a graph whose calls are inlined. TensorFlow ties every reading and assignment of a variable
to those before it, so the order in which they run is an order of the graph: a reading gives what
the last assignment before it stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tensorflow.core.framework import graph_pb2

from converter.errors import TraceError
from converter.naming import free

ASSIGNING = {"AssignVariableOp": "", "AssignAddVariableOp": "AddV2", "AssignSubVariableOp": "Sub"}
"""Operators that assign, and what each computes of the old value and its input."""

_HARMLESS = frozenset({"VariableShape", "VarIsInitializedOp", "Identity", "NoOp"})


def with_new_values(
    graph_def: graph_pb2.GraphDef, variables: Mapping[str, Any]
) -> tuple[graph_pb2.GraphDef, dict[str, str]]:
    """Take the assignments out of a graph.

    Args:
        graph_def: an inlined graph; left as it is.
        variables: placeholder to the variable that it is the handle of.

    Returns:
        The graph, and for each placeholder whose variable was assigned the name of the node that
        gives its new value.

    Raises:
        TraceError: a variable is assigned within a loop or a branch, or has no fixed shape; names
            it.
    """
    handles = {_handle(node, graph_def) for node in graph_def.node if node.op in ASSIGNING}
    if not handles:
        _refuse_in_bodies(graph_def)
        return graph_def, {}
    graph_def = graph_pb2.GraphDef.FromString(graph_def.SerializeToString())
    _refuse_in_bodies(graph_def)
    kept: dict[str, str] = {}
    for handle in sorted(handles):
        kept[handle] = _Accesses(graph_def, handle, variables.get(handle)).rewritten()
    return graph_def, kept


@dataclass
class _Accesses:
    """All that a graph does with one variable."""

    graph_def: graph_pb2.GraphDef
    handle: str
    variable: Any
    current: str = ""
    dtype: int = 0

    def rewritten(self) -> str:
        """Rewrite them in their order; returns the node of the new value."""
        if self.variable is not None and not self.variable.shape.is_fully_defined():
            raise TraceError(
                f"the model assigns its variable {self.name!r}, whose shape {self.variable.shape} "
                "is not fixed: what is kept between calls must keep its shape",
                hint="Make it as large as it can become and keep the position beside it.",
            )
        for node in _in_order(self.graph_def):
            if not any(_source(name, self.graph_def) == self.handle for name in node.input):
                continue
            if node.op in ASSIGNING:
                self.assign(node)
            elif node.op == "ReadVariableOp":
                self.read(node)
            elif node.op not in _HARMLESS:
                raise TraceError(
                    f"the model assigns its variable {self.name!r} and uses it in {node.op}",
                    hint="Read the variable before the loop, the branch or the look-up, and assign "
                    "it behind it.",
                )
        result = self.node("Identity", "new", [self.current])
        return result.name

    @property
    def name(self) -> str:
        return self.handle if self.variable is None else self.variable.name.split(":")[0]

    def read(self, node: Any) -> None:
        """Let a reading after an assignment give what was assigned."""
        if not self.current:
            return
        dtype = node.attr["dtype"].type
        controls = [name for name in node.input if name.startswith("^")]
        node.op = "Identity"
        node.ClearField("attr")
        node.attr["T"].type = dtype
        del node.input[:]
        node.input.extend([self.current, *controls])

    def assign(self, node: Any) -> None:
        """Remember what is assigned; the node does nothing any more."""
        operator, value, dtype = ASSIGNING[node.op], node.input[1], node.attr["dtype"].type
        if operator:
            before = self.current or self.first(dtype)
            value = self.node(operator, "sum", [before, value], dtype).name
        self.current, self.dtype = value, dtype
        controls = [name for name in node.input if name.startswith("^")]
        node.op = "NoOp"
        node.ClearField("attr")
        del node.input[:]
        node.input.extend(controls)

    def first(self, dtype: int) -> str:
        """Return a reading of what the variable held before the call."""
        node = self.graph_def.node.add(op="ReadVariableOp", name=self.fresh("before"))
        node.attr["dtype"].type = dtype
        node.input.append(self.handle)
        return node.name

    def node(self, op: str, name: str, inputs: list[str], dtype: int | None = None) -> Any:
        node = self.graph_def.node.add(op=op, name=self.fresh(name))
        node.attr["T"].type = self.dtype if dtype is None else dtype
        node.input.extend(inputs)
        return node

    def fresh(self, name: str) -> str:
        taken = {node.name for node in self.graph_def.node}
        return free(f"equiport_state/{self.handle}/{name}", taken)


def _source(name: str, graph_def: graph_pb2.GraphDef) -> str:
    """Follow identities back to the placeholder of a handle; ``""`` for a control input."""
    nodes = {node.name: node for node in graph_def.node if node.op == "Identity"}
    while not name.startswith("^") and (name := name.partition(":")[0]) in nodes:
        name = nodes[name].input[0]
    return "" if name.startswith("^") else name


def _handle(node: Any, graph_def: graph_pb2.GraphDef) -> str:
    return _source(node.input[0], graph_def)


def _in_order(graph_def: graph_pb2.GraphDef) -> list[Any]:
    """Return the nodes so that each comes after all that it waits for."""
    waiting = {node.name: {name.lstrip("^").partition(":")[0] for name in node.input}
               for node in graph_def.node}  # fmt: skip
    followers: dict[str, list[str]] = {}
    for name, needs in waiting.items():
        for needed in needs:
            followers.setdefault(needed, []).append(name)
    nodes = {node.name: node for node in graph_def.node}
    left = {name: len(needs & set(nodes)) for name, needs in waiting.items()}
    ready = [name for name in nodes if not left[name]]
    for name in ready:
        for follower in followers.get(name, ()):
            left[follower] -= 1
            if not left[follower]:
                ready.append(follower)
    return [nodes[name] for name in ready]


def _refuse_in_bodies(graph_def: graph_pb2.GraphDef) -> None:
    """Refuse assignments that are left in functions: bodies of loops and branches.

    Raises:
        TraceError: names the argument that stands for the variable.
    """
    called = _called(graph_def)
    for function in graph_def.library.function:
        for node in function.node_def if function.signature.name in called else ():
            if node.op in ASSIGNING:
                raise TraceError(
                    f"the model assigns a variable within a loop or a branch ({node.name}, of "
                    f"{node.input[0]})",
                    hint="Let the loop or branch return the value, and assign it behind it.",
                )


def _called(graph_def: graph_pb2.GraphDef) -> set[str]:
    """Return the functions that the graph calls, directly or not."""
    bodies = {f.signature.name: list(f.node_def) for f in graph_def.library.function}
    found: set[str] = set()
    pending = list(graph_def.node)
    while pending:
        for value in pending.pop().attr.values():
            names = [value.func.name] if value.HasField("func") else []
            for name in (*names, *(item.name for item in value.list.func)):
                if name and name not in found:
                    found.add(name)
                    pending += bodies.get(name, [])
    return found
