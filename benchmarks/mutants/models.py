"""The models that faults are planted in: the zoo in both frameworks, and small graphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from benchmarks.mutants.facts import Facts, observe
from benchmarks.mutants.graphs import GRAPHS
from converter.signature import Signature

SIZES = {"batch": [1, 3], "length": [1, 6], "sequence": [1, 6], "samples": [400, 1680]}
"""Sizes of dynamic dimensions: the smallest, and one that no other dimension has.

Of 640 samples wav2vec2 makes a single frame, which leaves attention nothing to choose from; of 1680
it makes five.
"""
TYPICAL = {"batch": 3, "length": 6, "sequence": 6, "samples": 1680}
"""Sizes at which a model's values are looked at once, before planting."""


@dataclass
class Subject:
    """A model under which mutants are compared with it.

    Attributes:
        name: e.g. ``bert torch`` or ``resizer graph``.
        source: the live model; of a small graph, the graph.
        graph: its trace, as the converter gives it, each node with a name.
        facts: what is known of the graph's values.
        signature: inputs with their bounds, and outputs.
        sizes: sizes to try by dynamic dimension.
        nodes: number of nodes.
    """

    name: str
    source: Any
    graph: ir.Model
    facts: Facts
    signature: Signature
    sizes: Mapping[str, list[int]]
    nodes: int


def names() -> list[str]:
    """Return the names of all subjects."""
    from zoo.registry import ENTRIES

    twins = [f"{name} {side}" for name, entry in ENTRIES.items() for side in entry.frameworks]
    return [*(f"{name} graph" for name in GRAPHS), *twins]


def subject(name: str) -> Subject:
    """Load a model, trace it and look at its values once."""
    from converter.graph.bounds import with_bounds
    from converter.graph.signatures import signature_of
    from verify.inputs import random_inputs

    model, _, framework = name.partition(" ")
    source: Any
    if framework == "graph":
        graph = GRAPHS[model]()
        source = graph
    else:
        source, graph = _traced(model, framework)
    _name_nodes(graph)
    signature = with_bounds(signature_of(graph), graph)
    sizes = {dim: SIZES[dim] for dim in _dimensions(signature)}
    facts = observe(graph, random_inputs(signature, TYPICAL, 0))
    for spec in signature.inputs:
        low, high = spec.bounds or ("", "")
        if isinstance(low, int) and isinstance(high, int):
            facts.bounds[spec.name] = low, high
    count = sum(1 for _ in graph.graph.all_nodes())
    return Subject(name, source, graph, facts, signature, sizes, count)


def _traced(name: str, framework: str) -> tuple[Any, ir.Model]:
    from converter.formats import from_live
    from converter.pipeline import Options, trace
    from zoo import loading
    from zoo.registry import get

    model = loading.load(name, framework)
    declared = get(name).side(framework).signature
    return model, trace(from_live(model), declared, {}, Options(to="onnx"))


def _name_nodes(graph: ir.Model) -> None:
    """Give each node a name that no other node has."""
    seen: set[str] = set()
    for index, node in enumerate(graph.graph.all_nodes()):
        if not node.name or node.name in seen:
            node.name = f"{node.op_type}_{index}"
        seen.add(node.name)


def _dimensions(signature: Signature) -> list[str]:
    words = [dim for spec in signature.inputs for dim in spec.shape or () if isinstance(dim, str)]
    return list(dict.fromkeys(words))
