"""Where a difference comes from: comparisons node by node, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class NodeStatus(StrEnum):
    """What became of one node.

    ``OK``: its result is the reference's. ``ORIGIN``: what it reads is the reference's, its result
    is not: the error begins here. ``PROPAGATED``: its result differs because what it reads does.
    ``UNSEEN``: the other side has no value that can be compared (fused, folded away).
    """

    OK = "ok"
    ORIGIN = "origin"
    PROPAGATED = "propagated"
    UNSEEN = "unseen"


class Leg(StrEnum):
    """Which part of a conversion is to blame."""

    TRACING = "tracing"
    REBUILDING = "rebuilding"
    WEIGHTS = "weights"
    RUNTIME_A = "runtime of a"
    RUNTIME_B = "runtime of b"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class NodeComparison:
    """One node of the graph, the target's value for it against the float64 reference.

    Attributes:
        index: position in the graph, in order of computation.
        node: name of the ONNX node.
        op: its operator, with its domain where that is not ONNX's own.
        value: name of the output compared.
        error: largest absolute error relative to the largest value of the reference; NaN: not seen.
        noise: the same of the node's own rounding.
        limit: largest ``error`` that passes.
        status: what follows.
        module_path: the source's module or layer, ``""`` if not known.
        source_line: ``model.py:12`` of the user's code, ``""`` if not known.
        weights: names of the parameters and buffers that it reads.
        counterpart: the other side's name for the value, where it has one.
        histogram: number of elements by their difference relative to the largest value of the
            reference, as in `OutputComparison.histogram`; empty: not seen.
    """

    index: int
    node: str
    op: str
    value: str
    error: float
    noise: float
    limit: float
    status: NodeStatus
    module_path: str = ""
    source_line: str = ""
    weights: tuple[str, ...] = ()
    counterpart: str = ""
    histogram: tuple[int, ...] = ()


@dataclass(frozen=True)
class Depth:
    """Every node compared, or as many as the other side shows (`--deep`, and where it mismatches).

    Attributes:
        nodes: in order of computation.
        inputs: title of the run whose inputs were used.
        note: what could not be compared and why, in one line; ``""`` if nothing.
    """

    nodes: tuple[NodeComparison, ...] = ()
    inputs: str = ""
    note: str = ""

    @property
    def origins(self) -> tuple[NodeComparison, ...]:
        """Nodes at which an error begins."""
        return tuple(node for node in self.nodes if node.status is NodeStatus.ORIGIN)

    @property
    def passed(self) -> bool:
        """Whether no error begins anywhere."""
        return not self.origins


@dataclass(frozen=True)
class Location:
    """Where a mismatch comes from.

    Attributes:
        leg: the part of the conversion to blame.
        reason: why that one, in words.
        origins: where errors begin, the first and most likely one first.
        witnesses: what each further run said, by its name, in words.
        repro: folder with the sub-model, its inputs and a script; ``""`` if none was written.
    """

    leg: Leg
    reason: str
    origins: tuple[NodeComparison, ...] = ()
    witnesses: Mapping[str, str] = field(default_factory=dict)
    repro: str = ""
