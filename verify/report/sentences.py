"""Where errors begin, what the nodes told, and how long it took, in lines of plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from verify.report.location import NodeComparison, NodeStatus
from verify.report.numbers import number, seconds
from verify.report.result import Latency, Report

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


def latency_lines(latency: Latency) -> list[str]:
    """Say how long both sides take, and at which sizes."""
    a, b = latency.a, latency.b
    gate = "" if latency.max_slowdown is None else f", at most {latency.max_slowdown:g}"
    threads = f" on {latency.threads} thread(s)" if latency.threads is not None else ""
    parts = [
        f"latency: a {seconds(a.median)}, b {seconds(b.median)} median",
        f"p90 {seconds(a.p90)}, {seconds(b.p90)}",
        f"p99 {seconds(a.p99)}, {seconds(b.p99)}" if a.p99 and b.p99 else "",
        f"b/a {latency.ratio:.2f}{_interval(latency.interval)}{gate}",
        f"{latency.inputs}{threads}",
        "" if latency.settled else "the warm-up did not settle",
    ]
    lines = ["; ".join(filter(None, parts))]
    return lines + [
        f"latency at {item.name}={item.size}: a {seconds(item.a.median)}, b "
        f"{seconds(item.b.median)}, b/a {item.ratio:.2f}{_interval(item.interval)}"
        for item in latency.sweep
    ]


def _interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f" ({ends[0]:.2f} to {ends[1]:.2f} at 95 %)"
