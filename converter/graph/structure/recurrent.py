"""LSTM, GRU and plain recurrent layers: an operator with what the exporters put around it.

ONNX has time in front: ``X [time, batch, features]``, ``Y [time, directions, batch, hidden]``,
``Y_h`` and ``Y_c [directions, batch, hidden]``. A layer takes and gives ``[time, batch, ...]`` or
``[batch, time, ...]``, and the directions stand side by side in the features.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx_ir as ir

from converter.graph.dropout import ELEMENTS, kind_of, rate_of
from converter.graph.structure.assembled import AnyWeight, Assembled, Elements
from converter.graph.structure.layers import Layer, only_use
from converter.graph.structure.scopes import call_of
from converter.graph.structure.sizes import dims
from converter.graph.structure.weights import all_equal
from converter.rebuild.graph_values import constant_tensor
from converter.rebuild.prepare import plain_domain, version_of

RECURRENT = ("LSTM", "GRU", "RNN")

_SINCE = 7
"""Version of the operators from which on they mean this."""

_GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}

_FUNCTIONS = {
    ("LSTM", ("sigmoid", "tanh", "tanh")): "tanh",
    ("GRU", ("sigmoid", "tanh")): "tanh",
    ("RNN", ("tanh",)): "tanh",
    ("RNN", ("relu",)): "relu",
}
"""The functions of a direction that the frameworks' layers have, and the word for them."""

_KNOWN = frozenset(
    {"activations", "direction", "hidden_size", "input_forget", "layout", "linear_before_reset"}
)

_ZEROS = frozenset(
    {"Expand", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}
)
"""Operators that make zeros of zeros."""

TIME, BATCH = "time", "batch"

_SEQUENCE = (TIME, BATCH, "features")
"""The axes of what goes from one operator to the next."""


@dataclass
class _Cell:
    """One recurrent operator without what stands around it.

    Attributes:
        config: what its constructor takes, in neutral words.
        weights: of each direction: ``weight_ih`` and ``weight_hh`` ``[gates * hidden, ...]``,
            ``bias_ih`` and ``bias_hh``, their gates in ONNX's order.
        between: what stands between it and the level below it.
        dropout: the rate of a dropout among that.
    """

    node: ir.Node
    config: dict[str, Any]
    weights: list[dict[str, Assembled]]
    between: list[ir.Node] = field(default_factory=list)
    dropout: float = 0.0

    def output(self, index: int) -> ir.Value | None:
        """Return an output that somebody reads."""
        if index >= len(self.node.outputs):
            return None
        value = self.node.outputs[index]
        return value if value.uses() or value.is_graph_output() else None


def recurrent(node: ir.Node, model: ir.Model) -> Iterator[Layer]:
    """Yield the layers that a node may be, best first.

    ``config["states"]`` says what the last states are: ``whole`` as ONNX has them, or ``apart``,
    one ``[batch, hidden]`` for each direction that is read. ``config["outputs"]`` names each
    output: ``sequence``, ``h``, ``c``, and with states that are apart ``(h, direction)``.

    A layer of several levels, each of which reads the one before it, comes first.
    """
    cell = _cell(node, model)
    if cell is None:
        return
    levels = [cell, *_above(cell, model)]
    while len(levels) > 1:
        yield from _arranged(levels)
        levels.pop()
    yield from _arranged(levels)


def turn_between(model: ir.Model) -> None:
    """Let a recurrent layer that is called with batches first hand them on so, in place.

    Exporters leave the two transpositions out that stand between one layer and the next.
    """
    layers = [node for node in model.graph if _is_recurrent(node)]
    inner = {value for node in layers for value, axes, _ in _chain(node) if axes == _SEQUENCE}
    for node in layers:
        # What is turned behind one layer of its own says nothing about how the next is called.
        before = _turned(node)
        link = _link(node) if before is not None and before not in inner else None
        if link is None:
            continue
        reader, nodes, _ = link
        dropped = nodes[-1] if kind_of(nodes[-1]) == ELEMENTS else None
        after = dropped or reader
        there = _swap(after, after.inputs[0])
        model.graph.insert_before(after, there)
        after.replace_input_with(0, there.outputs[0])
        if dropped is not None:
            dropped.outputs[0].shape = there.outputs[0].shape
        back = _swap(reader, there.outputs[0] if dropped is None else dropped.outputs[0])
        model.graph.insert_before(reader, back)
        reader.replace_input_with(0, back.outputs[0])


def _swap(reader: ir.Node, value: ir.Value | None) -> ir.Node:
    """Return a node that exchanges time and batch of what a node reads."""
    assert value is not None
    node = ir.node("Transpose", [value], {"perm": (1, 0, 2)})
    node.metadata_props.update(reader.metadata_props)
    node.outputs[0].type = value.type
    if value.shape is not None:
        node.outputs[0].shape = ir.Shape([value.shape[axis] for axis in (1, 0, 2)])
    return node


def _is_recurrent(node: ir.Node) -> bool:
    return node.op_type in RECURRENT and not plain_domain(node.domain)


def _reads(node: ir.Node, value: ir.Value) -> bool:
    """Tell whether a node is a recurrent operator that runs through a value."""
    return _is_recurrent(node) and node.inputs[0] is value


# ---------------------------------------------------------------------- the operator


class _NotALayerError(Exception):
    """Why an operator is no layer of the frameworks."""


def why_not(node: ir.Node, model: ir.Model) -> str:
    """Return why an operator is no layer of any framework; empty if it is one."""
    try:
        _equation(node, model)
    except _NotALayerError as reason:
        return str(reason)
    return ""


def _cell(node: ir.Node, model: ir.Model) -> _Cell | None:
    """Return the operator where it has the equation of the frameworks' layers."""
    try:
        return _equation(node, model)
    except _NotALayerError:
        return None


def _equation(node: ir.Node, model: ir.Model) -> _Cell:
    attributes = {name: attribute.value for name, attribute in node.attributes.items()}
    if other := sorted(attributes.keys() - _KNOWN):
        raise _NotALayerError(f"it has {', '.join(other)}")
    if version_of(node, model) < _SINCE:
        raise _NotALayerError(f"it is of an opset before {_SINCE}")
    value, w, r, b, lengths, *states, peepholes = [*node.inputs, *[None] * 8][:8]
    if attributes.get("input_forget", 0) or peepholes is not None:
        raise _NotALayerError("its gates are coupled, or look at the cell")
    if lengths is not None:
        raise _NotALayerError("it is told where each row ends")
    if not all(map(_is_zero, states)):
        raise _NotALayerError("it is given its first state")
    if value is None or dims(value) is None:
        raise _NotALayerError("the rank of what it reads is not known")
    elements = Elements(model)
    found = [elements.of(item) for item in (w, r, b)]
    if found[0] is None or found[1] is None or (b is not None and found[2] is None):
        raise _NotALayerError("its weights are computed")
    gates = _GATES[node.op_type]
    directions, rows, into = found[0].shape
    hidden = rows // gates
    word = attributes.get("direction", "forward")
    functions = tuple(name.lower() for name in attributes.get("activations", ()))
    nonlinearity = _nonlinearity(node.op_type, functions, directions)
    sources = tuple(elements.sources)
    bias = b is not None and not all_equal(b, 0)
    weights = []
    for d in range(directions):
        own = {"weight_ih": found[0][d], "weight_hh": found[1][d]}
        if bias and found[2] is not None:
            own |= {"bias_ih": found[2][d, :rows], "bias_hh": found[2][d, rows:]}
        weights.append({name: Assembled(sources, item[None]) for name, item in own.items()})
    learned = all(own[name].is_learned() for own in weights for name in ("weight_ih", "weight_hh"))
    if nonlinearity is None:
        raise _NotALayerError(f"its functions are {', '.join(functions)}")
    if not learned:
        raise _NotALayerError("its weights are constants")
    config = {
        "in": into, "hidden": hidden, "directions": directions, "bias": bias,
        "backwards": word == "reverse", "nonlinearity": nonlinearity,
        "reset_after": bool(attributes.get("linear_before_reset", 0)),
        "layout": attributes.get("layout", 0),
    }  # fmt: skip
    return _Cell(node, config, weights)


def _nonlinearity(kind: str, functions: tuple[str, ...], directions: int) -> str | None:
    """Return the word for an operator's functions, ``None`` where no layer has them."""
    for (known, names), word in _FUNCTIONS.items():
        if known == kind and functions in ((), names * directions):
            return word
    return None


def _is_zero(value: ir.Value | None) -> bool:
    """Tell whether a state is zero whatever the inputs are."""
    if all_equal(value, 0):
        return True
    node = value.producer() if value is not None else None
    if node is None or plain_domain(node.domain):
        return False
    if node.op_type == "ConstantOfShape":
        fill = node.attributes.get("value")
        return fill is None or not np.any(fill.as_tensor().numpy())
    return node.op_type in _ZEROS and _is_zero(node.inputs[0])


def _above(cell: _Cell, model: ir.Model) -> Iterator[_Cell]:
    """Yield the operators that stand on one, each reading nothing but the one below it.

    What the source says are two layers, are two; so is one that is called twice.
    """
    same = [name for name in cell.config if name != "in"]
    rate = None
    while (link := _link(cell.node)) is not None:
        reader, nodes, dropout = link
        above = _cell(reader, model)
        if above is None or reader.op_type != cell.node.op_type or rate not in (None, dropout):
            return
        origins = [one.weights[0]["weight_hh"].origin for one in (above, cell)]
        if call_of(reader) != call_of(cell.node) or origins[0] == origins[1]:
            return
        if cell.config["layout"] or any(cell.config[n] != above.config[n] for n in same):
            return
        rate = dropout
        cell = replace(above, between=nodes, dropout=dropout)
        yield cell


def _link(node: ir.Node) -> tuple[ir.Node, list[ir.Node], float] | None:
    """Return the operator that alone reads a sequence, the nodes up to it, and a dropout's rate."""
    for value, axes, nodes in _chain(node):
        after, rate = only_use(value), 0.0
        if after is not None and kind_of(after) == ELEMENTS:
            rate, value, nodes = rate_of(after), after.outputs[0], [*nodes, after]
            after = only_use(value)
            if axes == (BATCH, TIME, "features") and after is not None and _swaps(after):
                axes, value, nodes = _SEQUENCE, after.outputs[0], [*nodes, after]
                after = only_use(value)
        if axes == _SEQUENCE and after is not None and _reads(after, value):
            return after, nodes, rate
    return None


# ---------------------------------------------------------------------- what stands around it


def _swaps(node: ir.Node) -> bool:
    """Tell whether a node exchanges time and batch of ``[time, batch, features]``."""
    given = node.attributes.get("perm")
    plain = node.op_type == "Transpose" and not plain_domain(node.domain)
    return plain and given is not None and tuple(given.as_ints()) == (1, 0, 2)


def _turned(node: ir.Node) -> ir.Value | None:
    """Return ``[batch, time, features]`` of which the operator's input is made."""
    before = node.inputs[0].producer() if node.inputs[0] is not None else None
    return before.inputs[0] if before is not None and _swaps(before) else None


def _arranged(levels: list[_Cell]) -> Iterator[Layer]:
    """Yield the layers that some levels may be: those first that take and give in one order."""
    first = levels[0].node
    before = _turned(first)
    if levels[0].config["layout"]:
        inputs = [(BATCH, first.inputs[0])]
    else:
        inputs = [(BATCH, before)] if before is not None else []
        inputs.append((TIME, first.inputs[0]))
    sequences = _sequences(levels[-1])
    states = [*_states(levels)]
    for order, value in inputs:
        for out, sequence, nodes in sorted(sequences, key=lambda item: item[0] != order):
            for arrangement, outputs, more in states:
                yield _layer(
                    levels, (order, value), (out or order, sequence), arrangement, outputs,
                    [*nodes, *more],
                )  # fmt: skip


def _sequences(cell: _Cell) -> list[tuple[str, ir.Value | None, list[ir.Node]]]:
    """Return the forms in which the whole sequence leaves a layer: order, value, nodes inside."""
    if cell.output(0) is None:
        return [("", None, [])]
    found: dict[str, tuple[str, ir.Value | None, list[ir.Node]]] = {}
    for value, axes, nodes in _chain(cell.node):
        if axes in (_SEQUENCE, (BATCH, TIME, "features")):
            found.setdefault(axes[0], (axes[0], value, nodes))
    return [*found.values()]


def _chain(node: ir.Node) -> Iterator[tuple[ir.Value, tuple[str, ...], list[ir.Node]]]:
    """Follow ``Y`` through what only arranges its axes, as long as nobody else reads it.

    Yields:
        Value, names of its axes, and the nodes up to it.
    """
    value = node.outputs[0]
    nodes: list[ir.Node] = []
    layout = node.attributes.get("layout")
    axes: tuple[str, ...] = (TIME, "directions", BATCH, "hidden")
    if layout is not None and layout.as_int():
        axes = (BATCH, TIME, "directions", "hidden")
    while True:
        after = only_use(value)
        if after is None or plain_domain(after.domain) or after.inputs[0] is not value:
            return
        moved = _moved(axes, after)
        if moved is None:
            return
        axes, value, nodes = moved, after.outputs[0], [*nodes, after]
        yield value, axes, nodes


def _moved(axes: tuple[str, ...], node: ir.Node) -> tuple[str, ...] | None:
    """Return the names of the axes behind a node, ``None`` where it does something else."""
    if node.op_type == "Transpose":
        given = node.attributes.get("perm")
        order = tuple(given.as_ints()) if given else tuple(reversed(range(len(axes))))
        return tuple(axes[axis] for axis in order)
    if node.op_type not in ("Reshape", "Squeeze") or node.inputs[0] is None:
        return None
    before, after = dims(node.inputs[0]), dims(node.outputs[0])
    if before is None or after is None or "directions" not in axes or None in before:
        return None
    place = axes.index("directions")
    if before[place] == 1 and after == (*before[:place], *before[place + 1 :]):
        left = (*axes[:place], *axes[place + 1 :])
        return (*left[:-1], "features") if left[-1] == "hidden" else None
    if axes[-2:] == ("directions", "hidden") and after == (*before[:-2], before[-2] * before[-1]):
        return (*axes[:-2], "features")
    return None


def _states(
    levels: list[_Cell],
) -> Iterator[tuple[str, list[tuple[Any, ir.Value]], list[ir.Node]]]:
    """Yield the forms in which the last states leave a layer: word, outputs, nodes inside."""
    whole: list[tuple[Any, ir.Value]] = []
    apart: list[tuple[Any, ir.Value]] | None = []
    joints: list[ir.Node] = []
    picks: list[ir.Node] = []
    for index, word in ((1, "h"), (2, "c")):
        values = [cell.output(index) for cell in levels]
        if not any(value is not None for value in values):
            continue
        if len(levels) > 1:
            joint = _joint(values)
            if joint is None:
                return
            joints.append(joint)
            values, apart = [joint.outputs[0]], None
        (value,) = values
        assert value is not None
        whole.append((word, value))
        chosen = _picked(value, levels[0])
        if apart is not None and chosen is not None:
            apart += [((word, direction), node.outputs[0]) for direction, node in chosen.items()]
            picks += chosen.values()
        else:
            apart = None
    if not whole:
        yield "", [], []
        return
    if apart is not None:
        yield "apart", apart, picks
    if not levels[0].config["layout"]:
        yield "whole", whole, joints


def _joint(values: Iterable[ir.Value | None]) -> ir.Node | None:
    """Return the node that puts the states of all levels one above the other."""
    values = list(values)
    node = only_use(values[0]) if values[0] is not None else None
    if node is None or node.op_type != "Concat" or plain_domain(node.domain):
        return None
    same = len(node.inputs) == len(values) and all(map(_is, node.inputs, values))
    alone = all(value is not None and only_use(value) is node for value in values)
    return node if same and alone and node.attributes["axis"].as_int() in (0, -3) else None


def _is(one: ir.Value | None, other: ir.Value | None) -> bool:
    return one is other


def _picked(value: ir.Value, cell: _Cell) -> dict[int, ir.Node] | None:
    """Return the nodes that pick the state of one direction; ``None`` if it is read otherwise."""
    directions = cell.config["directions"]
    place = 1 if cell.config["layout"] else 0
    found: dict[int, ir.Node] = {}
    if value.is_graph_output():
        return None
    for node, index in value.uses():
        direction = None
        if node.op_type == "Gather" and not plain_domain(node.domain) and not index:
            axis = node.attributes.get("axis")
            at = constant_tensor(node.inputs[1]) if node.inputs[1] is not None else None
            if at is not None and not at.shape.rank() and (axis.as_int() if axis else 0) == place:
                direction = int(at.numpy()) % directions
        elif not plain_domain(node.domain) and not index and directions == 1:
            axes = (BATCH, "directions", "hidden") if place else ("directions", BATCH, "hidden")
            direction = 0 if _moved(axes, node) == (BATCH, "features") else None
        if direction is None or direction in found:
            return None
        found[direction] = node
    return dict(sorted(found.items()))


def _layer(
    levels: list[_Cell],
    given: tuple[str, ir.Value | None],
    sequence: tuple[str, ir.Value | None],
    arrangement: str,
    states: list[tuple[Any, ir.Value]],
    nodes: list[ir.Node],
) -> Layer:
    value = given[1]
    assert value is not None
    outputs = [("sequence", sequence[1])] if sequence[1] is not None else []
    outputs += states
    inside = [node for cell in levels for node in cell.between]
    weights: dict[str, AnyWeight] = {}
    for level, cell in enumerate(levels):
        for own, word in zip(cell.weights, ("", "_reverse"), strict=False):
            weights |= {f"{name}_l{level}{word}": weight for name, weight in own.items()}
    config = levels[0].config | {
        "levels": len(levels), "dropout": levels[-1].dropout,
        "given": given[0], "taken": sequence[0], "states": arrangement,
        "outputs": [name for name, _ in outputs],
    }  # fmt: skip
    return Layer(
        levels[0].node.op_type, config, weights, [value], [item for _, item in outputs if item],
        [*(cell.node for cell in levels[1:]), *inside, *nodes, levels[0].node],
    )  # fmt: skip
