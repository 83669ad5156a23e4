"""A graph as a tree of modules: what each computes, in which order, and what it hands on.

The tree comes from provenance: where a node was made, as a path of module calls. A call becomes
a `Block`. What of it the graph computes elsewhere, or twice, is put right here: the nodes of a
block stand together, and nothing has to leave it before all of it has run. A call for which that
cannot be is dissolved into the one around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import onnx_ir as ir

from converter.graph.structure.layers import Layer
from converter.graph.structure.recognition import layers_of
from converter.graph.structure.scopes import Scope, Scopes
from converter.graph.structure.sizes import Sizes
from converter.graph.structure.weights import weight_of
from converter.rebuild.graph_values import captured_by, constant_tensor, role_of


@dataclass(eq=False)
class Step:
    """One thing that a block does.

    Attributes:
        what: an operator, a layer with weights, the call of another block, or a branch or loop.
        inputs: the tensors that it needs; numbers and weights of its own are not among them.
        outputs: what it makes.
        scope: the calls around it, outermost first.
    """

    what: ir.Node | Layer | Block | Control
    inputs: list[ir.Value]
    outputs: list[ir.Value]
    scope: tuple[Scope, ...] = ()

    @property
    def node(self) -> ir.Node | None:
        """The node that says where it comes from; a call has none."""
        if isinstance(self.what, Block):
            return None
        return self.what if isinstance(self.what, ir.Node) else self.what.node


@dataclass(eq=False)
class Control:
    """A branch or a loop: a node whose attributes are graphs.

    Attributes:
        node: it.
        bodies: by the attribute's name; calls of modules in them are dissolved.
        captured: what the bodies read of the graphs around them, numbers and weights of layers
            left out.
    """

    node: ir.Node
    bodies: dict[str, Block]
    captured: list[ir.Value]


@dataclass(eq=False)
class Block:
    """One call of a module.

    Attributes:
        scope: of the call; the root and the bodies of branches and loops have none.
        steps: what it does, in order.
        inputs, outputs: the tensors that go in and come out.
        held: weights that it reads itself, and constants that are too large to be written.
    """

    scope: Scope | None
    steps: list[Step] = field(default_factory=list)
    inputs: list[ir.Value] = field(default_factory=list)
    outputs: list[ir.Value] = field(default_factory=list)
    held: list[ir.Value] = field(default_factory=list)
    sizes: list[Any] = field(default_factory=list)
    """Open dimensions that it needs and that none of its tensors has."""
    parameters: list[str] = field(default_factory=list)
    """What its function calls them, once it is written."""


def tree_of(model: ir.Model, sizes: Sizes, takes: Callable[[Layer], bool]) -> Block:
    """Return the tree of a graph.

    Args:
        model: prepared for the target; left as it is.
        sizes: which of its values are numbers.
        takes: whether the framework has such a layer.
    """
    graph, scopes = model.graph, Scopes(model)
    root = Block(None, inputs=list(graph.inputs), outputs=list(graph.outputs))
    root.steps = _grouped(_steps(model, sizes, scopes, takes), 0)
    _finish(root, set(root.outputs))
    root.inputs, root.outputs = list(graph.inputs), list(graph.outputs)
    return root


def _steps(
    model: ir.Model, sizes: Sizes, scopes: Scopes, takes: Callable[[Layer], bool]
) -> list[Step]:
    """Return what is left of a graph without numbers, constants and weights that are turned."""
    return _steps_of(model.graph, layers_of(model, takes), sizes, scopes)


def _steps_of(
    graph: ir.Graph, layers: dict[ir.Node, Layer], sizes: Sizes, scopes: Scopes
) -> list[Step]:
    steps = []
    for node in graph:
        layer = layers.get(node)
        if layer is not None:
            if node is layer.nodes[-1]:
                steps.append(Step(layer, _tensors(layer.inputs, sizes), layer.outputs))
                steps[-1].scope = scopes.of(layer.node)
        elif not all(sizes.of(value) is not None for value in node.outputs):
            if node.op_type == "Constant" or weight_of(node.outputs[0]) is not None:
                continue
            if graphs := _graphs(node):
                what = _control(node, graphs, layers, sizes, scopes)
                direct = [value for value in node.inputs if value is not None]
                read = _tensors([*direct, *what.captured], sizes)
                steps.append(Step(what, read, list(node.outputs)))
            else:
                steps.append(Step(node, _tensors(read_by(node), sizes), list(node.outputs)))
            steps[-1].scope = scopes.of(node)
    _open_layers(steps, scopes)
    return _needed(steps, graph)


def _graphs(node: ir.Node) -> dict[str, ir.Graph]:
    attributes = node.attributes.values()
    return {a.name: a.as_graph() for a in attributes if a.type == ir.AttributeType.GRAPH}


def _control(
    node: ir.Node,
    graphs: dict[str, ir.Graph],
    layers: dict[ir.Node, Layer],
    sizes: Sizes,
    scopes: Scopes,
) -> Control:
    """Return a branch or a loop, with the steps of its bodies."""
    bodies, captured = {}, []
    for name, graph in graphs.items():
        steps = _steps_of(graph, layers, sizes, scopes)
        bodies[name] = Block(None, steps, list(graph.inputs), list(graph.outputs))
        own = {*graph.inputs, *(value for step in steps for value in step.outputs)}
        read = [*(value for step in steps for value in step.inputs), *graph.outputs]
        captured += [value for value in _tensors(read, sizes) if value not in own]
    return Control(node, bodies, list(dict.fromkeys(captured)))


def every(steps: Iterable[Step]) -> Iterator[Step]:
    """Yield steps, and those in the bodies of branches and loops among them."""
    for step in steps:
        yield step
        if isinstance(step.what, Control):
            for body in step.what.bodies.values():
                yield from every(body.steps)


def _open_layers(steps: list[Step], scopes: Scopes) -> None:
    """Take the calls away that are a recurrent layer: what is left of them stands around it."""
    layers = {
        step.scope[-1].path
        for step in steps
        if isinstance(step.what, Layer) and step.scope and scopes.is_recurrent(step.scope[-1])
    }
    for step in steps:
        step.scope = tuple(scope for scope in step.scope if scope.path not in layers)


def _needed(steps: list[Step], graph: ir.Graph) -> list[Step]:
    """Return the steps without those that nothing needs."""
    wanted, kept = set(graph.outputs), []
    for step in reversed(steps):
        if wanted & set(step.outputs):
            wanted |= set(step.inputs)
            kept.append(step)
    return kept[::-1]


def read_by(node: ir.Node) -> list[ir.Value]:
    """Return the values that a node reads, those of its bodies with them."""
    read = [value for value in node.inputs if value is not None]
    for attribute in node.attributes.values():
        if attribute.type == ir.AttributeType.GRAPH:
            read += captured_by(attribute.as_graph())
    return read


def _tensors(values: Iterable[ir.Value], sizes: Sizes) -> list[ir.Value]:
    return list(dict.fromkeys(v for v in values if sizes.of(v) is None))


def is_held(value: ir.Value) -> bool:
    """Tell whether a value is a weight or a constant: what a module holds and nothing computes."""
    return (
        bool(role_of(value)) or weight_of(value) is not None or constant_tensor(value) is not None
    )


def _grouped(steps: list[Step], depth: int) -> list[Step]:
    """Put the steps of each call together, and order what comes out; calls in a circle dissolve.

    So do calls that read no tensor: a Keras layer cannot be called with nothing.
    """
    dissolved: set[Scope] = _reading_nothing(steps, depth)
    while True:
        groups: dict[Any, list[Step]] = {}
        for step in steps:
            inner = step.scope[depth] if len(step.scope) > depth else None
            groups.setdefault(step if inner is None or inner in dissolved else inner, []).append(
                step
            )
        order, circle = _ordered(groups)
        if not circle:
            break
        dissolved |= circle
    result = []
    for key in order:
        members = groups[key]
        if isinstance(key, Step):
            result.append(key)
        else:
            block = Block(key, _grouped(members, depth + 1))
            result.append(Step(block, [], []))
    return result


def _reading_nothing(steps: list[Step], depth: int) -> set[Scope]:
    """Return the calls at a depth that compute from weights and constants alone."""
    read: dict[Scope, set[ir.Value]] = {}
    made: dict[Scope, set[ir.Value]] = {}
    for step in steps:
        if len(step.scope) > depth:
            scope = step.scope[depth]
            read.setdefault(scope, set()).update(v for v in step.inputs if not is_held(v))
            made.setdefault(scope, set()).update(step.outputs)
    return {scope for scope in read if not read[scope] - made[scope]}


def _ordered(groups: dict[Any, list[Step]]) -> tuple[list[Any], set[Scope]]:
    """Return the groups in an order in which each finds what it needs, as near to theirs as can be.

    Returns:
        The order, and the calls that stand in a circle, which leave no order.
    """
    makers = {value: key for key, steps in groups.items() for s in steps for value in s.outputs}
    needs = {
        key: {makers[v] for s in steps for v in s.inputs if v in makers} - {key}
        for key, steps in groups.items()
    }
    order: list[Any] = []
    left = dict.fromkeys(groups)
    while left:
        ready = next((key for key in left if not (needs[key] & left.keys())), None)
        if ready is None:
            return order, {key for key in left if isinstance(key, Scope)}
        order.append(ready)
        del left[ready]
    return order, set()


def _finish(block: Block, wanted: set[ir.Value]) -> None:
    """Fill in what blocks take, give and hold, from the outside to the inside and back."""
    for step in block.steps:
        if isinstance(step.what, Block):
            made = set(_all_made(step))
            elsewhere = {v for other in block.steps if other is not step for v in _all_read(other)}
            _finish(step.what, made & (wanted | elsewhere))
            step.inputs, step.outputs = step.what.inputs, step.what.outputs
    made_here = {value for step in block.steps for value in step.outputs}
    read = list(dict.fromkeys(value for step in block.steps for value in step.inputs))
    held = [value for value in read if is_held(value) and value not in made_here]
    block.held = held if block.scope is None else [v for v in held if _is_own(v, block)]
    block.inputs = [v for v in read if v not in made_here and v not in block.held]
    block.outputs = [v for step in block.steps for v in step.outputs if v in wanted]


def _is_own(value: ir.Value, block: Block) -> bool:
    """Tell whether a block holds a weight or constant itself: nobody outside reads it."""
    total = {node for node, _ in value.uses()}
    inside = {node for step in _all_steps(block) for node in nodes_of(step)}
    return total <= inside


def nodes_of(step: Step) -> list[ir.Node]:
    """Return the nodes that a step stands for, those of bodies with them; a call has none."""
    if isinstance(step.what, Layer):
        return step.what.nodes
    if isinstance(step.what, Control):
        inner = (
            node for body in step.what.bodies.values() for s in body.steps for node in nodes_of(s)
        )
        return [step.what.node, *inner]
    return [step.what] if isinstance(step.what, ir.Node) else []


def _all_steps(block: Block) -> list[Step]:
    found = []
    for step in block.steps:
        found += _all_steps(step.what) if isinstance(step.what, Block) else [step]
    return found


def _all_read(step: Step) -> list[ir.Value]:
    if isinstance(step.what, Block):
        return [value for inner in _all_steps(step.what) for value in inner.inputs]
    return step.inputs


def _all_made(step: Step) -> list[ir.Value]:
    if isinstance(step.what, Block):
        return [value for inner in _all_steps(step.what) for value in inner.outputs]
    return step.outputs
