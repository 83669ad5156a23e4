"""Plant faults: where each kind can be made in a graph, and the graph with one made."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from benchmarks.mutants import kinds as _kinds  # noqa: F401  (fills the table of kinds)
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.kind import KINDS, Edit
from benchmarks.mutants.scramble import scramble

MOVING = ("Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Concat", "Split",
          "Slice", "Gather")  # fmt: skip
"""Operators that put elements in other places and change none."""


@dataclass(frozen=True)
class Place:
    """Where one fault can be planted.

    Attributes:
        kind: name of the kind.
        node: index of the node, in order of `onnx_ir.Graph.all_nodes`.
        ordinal: which of the kind's edits at that node.
    """

    kind: str
    node: int
    ordinal: int


@dataclass(frozen=True)
class Mutant:
    """A graph with one fault in it, all names scrambled.

    Attributes:
        model: the graph.
        place: the fault.
        operator: operator of the node that it was planted at.
        truth: names of the original's nodes at which the error begins: the node, or whatever
            reads the value that was altered, directly or through constants alone.
    """

    model: ir.Model
    place: Place
    operator: str
    truth: frozenset[str]


def places(model: ir.Model, facts: Facts, wanted: Iterable[str] | None = None) -> list[Place]:
    """Return every place in a graph at which a fault of the wanted kinds (all) can be made."""
    names = list(wanted) if wanted is not None else list(KINDS)
    found = []
    read = read_nodes(model)
    for index, node in enumerate(model.graph.all_nodes()):
        for name in names if node in read else ():
            for ordinal, _ in enumerate(KINDS[name].find(node, facts)):
                found.append(Place(name, index, ordinal))
    return found


def drawn(all_places: list[Place], cap: int, seed: int) -> list[Place]:
    """Return at most ``cap`` places of each kind, chosen by a seeded draw, in order."""
    by_kind: dict[str, list[Place]] = {}
    for place in all_places:
        by_kind.setdefault(place.kind, []).append(place)
    chosen = []
    for name, some in by_kind.items():
        generator = np.random.default_rng([seed, zlib.crc32(name.encode())])
        few = generator.permutation(len(some))[:cap]
        chosen += [some[index] for index in sorted(few)]
    return chosen


def plant(model: ir.Model, facts: Facts, place: Place, seed: int) -> Mutant:
    """Return a copy of a graph with one fault.

    Args:
        seed: of what the fault leaves to chance, and of the scrambled names.
    """
    copy = model.clone()
    node = list(copy.graph.all_nodes())[place.node]
    edit = list(KINDS[place.kind].find(node, facts))[place.ordinal]
    truth = _truth(node, edit, facts, _owners(copy))
    generator = np.random.default_rng([seed, place.node, place.ordinal])
    operator = node.op_type
    edit.change(generator)
    scramble(copy, generator)
    return Mutant(copy, place, operator, truth)


def read_nodes(model: ir.Model) -> set[ir.Node]:
    """Return the nodes whose results reach an output by more than their shape.

    Keras, for one, computes a recurrent layer's first step only to see what shape it has.
    """
    found: set[ir.Node] = set()
    values = [v for graph in (model.graph, *_owners(model)) for v in graph.outputs]
    seen = set(values)
    while values:
        node = values.pop().producer()
        if node is None or node in found:
            continue
        found.add(node)
        for value in () if node.op_type in ("Shape", "Size") else node.inputs:
            if value is not None and value not in seen:
                seen.add(value)
                values.append(value)
    return found


Owners = dict[ir.Graph, ir.Node]


def _owners(model: ir.Model) -> Owners:
    """Return the node in which each body lies."""
    return {
        attribute.as_graph(): node
        for node in model.graph.all_nodes()
        for attribute in node.attributes.values()
        if attribute.type == ir.AttributeType.GRAPH
    }


def _truth(node: ir.Node, edit: Edit, facts: Facts, owners: Owners) -> frozenset[str]:
    nodes = {node}
    if edit.value is not None:
        nodes = _readers(edit.value, facts)
    else:
        for value in node.outputs:
            if facts.constant(value) is not None:
                nodes |= _readers(value, facts)
        if edit.rewires:
            nodes |= _readers_by_position(node)
        if edit.lost is not None and (producer := edit.lost.producer()) is not None:
            nodes.add(producer)
    return frozenset(name for one in nodes for name in _with_owners(one, owners))


def _readers(value: ir.Value, facts: Facts) -> set[ir.Node]:
    """Return what reads a value, and what reads the constants that are made of it."""
    nodes: set[ir.Node] = set()
    seen = [value]
    for one in seen:
        for reader, _ in one.uses():
            nodes.add(reader)
            seen += [out for out in reader.outputs if facts.constant(out) is not None]
    return nodes


def _readers_by_position(node: ir.Node) -> set[ir.Node]:
    nodes: set[ir.Node] = set()
    seen = list(node.outputs)
    for value in seen:
        for reader, _ in value.uses():
            nodes.add(reader)
            if reader.op_type in MOVING:
                seen += reader.outputs
    return nodes


def _with_owners(node: ir.Node, owners: Owners) -> list[str]:
    """Return a node's name and those of the nodes in whose bodies it lies."""
    names = [node.name or ""]
    graph = node.graph
    while graph in owners:
        names.append(owners[graph].name or "")
        graph = owners[graph].graph
    return names
