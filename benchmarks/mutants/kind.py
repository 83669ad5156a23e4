"""What a kind of fault is: a name, and a function that finds where it can be made and makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from benchmarks.mutants.facts import Facts

Change = Callable[[np.random.Generator], None]


@dataclass(frozen=True)
class Edit:
    """One fault at one place, not made yet.

    Attributes:
        change: makes it, in place, in the graph of the node that it was found at.
        value: the value that it alters, a weight or one that was computed rightly before; the
            error then begins at whatever reads that value, rather than at the one node that the
            edit was found at.
        rewires: the node gives a value that the original has as well, or has with its elements in
            another place: one of its inputs, what its neighbour gives, a transposition. What is
            wrong is then as much that this value is read: the node, and what reads it, directly
            or through nodes that only move elements, are where the error begins.
        lost: a value that nothing reads any more, as where a constant stands in its place. The
            mutant has neither the node that computed it nor the one that read it, and does not
            say which of them went first: both are right.
    """

    change: Change
    value: ir.Value | None = None
    rewires: bool = False
    lost: ir.Value | None = None


Find = Callable[[ir.Node, Facts], Iterator[Edit]]


@dataclass(frozen=True)
class Kind:
    """One kind of fault.

    Attributes:
        name: what the tables call it.
        family: the file that it is defined in.
        find: gives the edits that can be made at a node.
        summary: what goes wrong, in words.
    """

    name: str
    family: str
    find: Find
    summary: str


KINDS: dict[str, Kind] = {}


def kind(name: str, *operators: str) -> Callable[[Find], Find]:
    """Register a function as a kind of fault at nodes of the given operators (none: of all).

    Its docstring's first line says what goes wrong.
    """

    def register(find: Find) -> Find:
        if name in KINDS:
            raise ValueError(f"there are two kinds called {name!r}")

        def at(node: ir.Node, facts: Facts) -> Iterator[Edit]:
            if node.domain == "" and (not operators or node.op_type in operators):
                yield from find(node, facts)

        summary = (find.__doc__ or "").strip().splitlines()[0]
        KINDS[name] = Kind(name, find.__module__.rpartition(".")[2], at, summary)
        return find

    return register
