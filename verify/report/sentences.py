"""Where errors begin and what the nodes told, in a line or two of plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from verify.report.location import NodeComparison, NodeStatus
from verify.report.numbers import number
from verify.report.result import Report

MOST_ORIGINS = 3


def sentences(report: Report) -> Iterator[tuple[str, str]]:
    """Yield a heading and a text for each thing to say."""
    if report.depth is not None:
        yield "nodes", depth(report)
    if report.location is not None:
        yield from location(report)


def depth(report: Report) -> str:
    """Say what became of the nodes."""
    part = report.depth
    assert part is not None
    counts = Counter(node.status for node in part.nodes)
    words = {
        NodeStatus.OK: "ok", NodeStatus.ORIGIN: "with an error of its own",
        NodeStatus.PROPAGATED: "that pass an error on", NodeStatus.UNSEEN: "not seen",
    }  # fmt: skip
    text = ", ".join(f"{counts[status]} {word}" for status, word in words.items() if counts[status])
    on = f" on {part.inputs}" if part.inputs else ""
    return "; ".join(filter(None, (f"{text}{on}" if text else "", part.note))) or "none"


def location(report: Report) -> Iterator[tuple[str, str]]:
    """Say where a mismatch comes from."""
    found = report.location
    assert found is not None
    yield "to blame", f"{found.leg.value}: {found.reason}"
    for node in found.origins[:MOST_ORIGINS]:
        yield "begins at", origin(node)
    if len(found.origins) > MOST_ORIGINS:
        yield "begins at", f"... and {len(found.origins) - MOST_ORIGINS} more nodes"
    for name, words in found.witnesses.items():
        yield "witness", f"{name}: {words}"
    if found.repro:
        yield "repro", found.repro


def origin(node: NodeComparison) -> str:
    """Say where an error begins: the line first, as a user looks for it."""
    module = f" of {node.module_path}" if node.module_path else ""
    line = f"{node.source_line}: " if node.source_line else ""
    return (
        f"{line}{node.op}{module} (node {node.node}): error {number(node.error)} of the largest "
        f"value, limit {number(node.limit)}"
    )
