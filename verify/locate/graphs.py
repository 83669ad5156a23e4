"""Compare two graphs node by node: `locate_graphs`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import onnx_ir as ir

from converter.rebuild.graph_values import constant_tensor, role_of, weight_name
from converter.rebuild.prepare import plain_domain
from verify.locate.closeness import FLOOR, error_of, flat
from verify.locate.graph import Wide
from verify.locate.kernels import read_values
from verify.locate.origin import Findings, find
from verify.locate.recording import Recording, record
from verify.report.location import Depth, NodeComparison, NodeStatus


def locate_graphs(
    graph_a: ir.Model | Recording,
    graph_b: ir.Model,
    inputs: Mapping[str, np.ndarray],
    inputs_b: Mapping[str, np.ndarray] | None = None,
    outputs: Mapping[str, str] | None = None,
) -> Depth:
    """Compare every node of graph a with graph b, blind to b's names and layout.

    Args:
        graph_a: the reference, or a recording of it (`verify.locate.record`) on these inputs, which
            serves for any number of graphs b.
        graph_b: the graph in question; neither graph is changed.
        inputs: arrays by graph a's input names.
        inputs_b: arrays by graph b's input names; by default the same, by name, else by order.
        outputs: graph a's output names to graph b's; by default the same, by name, else by order.

    Returns:
        Each node of a in order of computation. ``depth.passed``: no error begins anywhere;
        ``depth.origins``: the nodes at which one does, the first first.

    Raises:
        UsageError: an input is missing.
    """
    return depth_of(compare_graphs(graph_a, graph_b, inputs, inputs_b, outputs))


def compare_graphs(
    graph_a: ir.Model | Recording,
    graph_b: ir.Model,
    inputs: Mapping[str, np.ndarray],
    inputs_b: Mapping[str, np.ndarray] | None = None,
    outputs: Mapping[str, str] | None = None,
    permuted: frozenset[str] = frozenset(),
) -> Findings:
    """Do what `locate_graphs` does, and return all that it found.

    Args:
        permuted: outputs that b returns in another layout, as is declared.
    """
    recording = graph_a if isinstance(graph_a, Recording) else record(graph_a, inputs)
    wide = Wide(graph_b)
    if inputs_b is None:
        names = _paired(recording.wide.inputs, wide.inputs)
        inputs_b = {names[name]: array for name, array in inputs.items() if name in names}
    if outputs is None:
        outputs = _paired(recording.wide.outputs, wide.outputs)
    return find(recording, wide, dict(inputs_b), dict(outputs), permuted)


def _paired(mine: list[ir.Value], theirs: list[ir.Value]) -> dict[str, str]:
    """Return a's names to b's: the same where b has it, the others in order."""
    free = [value.name or "" for value in theirs]
    result = {}
    for value in mine:
        if value.name in free:
            result[value.name or ""] = value.name or ""
            free.remove(value.name or "")
    rest = [value.name or "" for value in mine if value.name not in result]
    return result | dict(zip(rest, free, strict=False))


def depth_of(findings: Findings, inputs: str = "") -> Depth:
    """Return what was found as rows of a report."""
    suspects = set(findings.suspects)
    rows = tuple(
        _row(findings, node, index, suspects)
        for index, node in enumerate(findings.recording.wide.nodes)
    )
    return Depth(rows, inputs, _note(findings))


def _note(findings: Findings) -> str:
    failed = findings.recording.failed
    reasons = [f"{n.name} ({n.op_type}): {text}" for n, text in failed.items()]
    return f"{len(reasons)} node(s) could not be run in float64: {reasons[0]}" if reasons else ""


def _row(findings: Findings, node: ir.Node, index: int, suspects: set[ir.Node]) -> NodeComparison:
    recording, walk = findings.recording, findings.second or findings.first
    value = next((value for value in node.outputs if value.name), node.outputs[0])
    number = recording.numbers.get(value)
    match = None if number is None else walk.matches.get(number)
    other = None if number is None else walk.counterparts.get(number)
    error, noise, limit = math.nan, math.nan, FLOOR
    if match is not None:
        error, limit = match.error, match.limit
        noise = walk.items[other].noise if other is not None else 0.0
    status = NodeStatus.UNSEEN if match is None else NodeStatus.OK
    if node in findings.origins:
        status, error = NodeStatus.ORIGIN, findings.origins[node]
        other = findings.counterparts.get(node, other)
        noise = walk.items[other].noise if other is not None else math.nan
    elif node in suspects:
        status = NodeStatus.PROPAGATED
        error = _propagated(findings, number, other, error)
    counterpart = (other.name or "") if other is not None else ""
    return replace(
        row(recording, node, index, error), noise=noise, limit=limit, status=status,
        counterpart=counterpart,
    )  # fmt: skip


def row(recording: Recording, node: ir.Node, index: int, error: float) -> NodeComparison:
    """Return the row of an origin, in the user's names."""
    value = next((value for value in node.outputs if value.name), node.outputs[0])
    properties, domain = node.metadata_props, plain_domain(node.domain)
    return NodeComparison(
        index, node.name or value.name or "", ".".join(filter(None, (domain, node.op_type))),
        value.name or "", error, math.nan, FLOOR, NodeStatus.ORIGIN,
        properties.get("equiport.module_path", ""), properties.get("equiport.source_line", ""),
        weights_of(node),
    )  # fmt: skip


def _propagated(
    findings: Findings, number: int | None, other: ir.Value | None, error: float
) -> float:
    """Return how far b's own result is from the reference's, nothing replaced."""
    item = None if other is None else findings.first.items.get(other)
    if number is None or item is None or item.raw is None:
        return error
    a = flat(findings.recording.table.values[number])
    b = flat(findings.first.table.values[item.raw])
    if a is None or b is None or a.numel() != b.numel():
        return error
    return error_of(a, b)


def weights_of(node: ir.Node) -> tuple[str, ...]:
    """Return the names of the parameters and buffers that a node reads, through layout changes."""
    names: dict[str, None] = {}
    queue = [value for value in read_values(node) if value is not None]
    while queue:
        value = queue.pop(0)
        producer = value.producer()
        if constant_tensor(value) is not None:
            if role_of(value):
                names[weight_name(value)] = None
        elif producer is not None and _is_constant(producer):
            queue += [item for item in read_values(producer) if item is not None]
    return tuple(names)


def _is_constant(node: ir.Node) -> bool:
    """Tell whether a node reads constants alone, at most one step deep."""
    return all(value is None or constant_tensor(value) is not None for value in read_values(node))
