"""What the page draws: points, bars and lines in percent, from one result.

The page stretches each drawing to its width, so nothing here knows of pixels; labels are text
beside the drawing and keep their size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from verify.report.location import Depth, NodeComparison, NodeStatus
from verify.report.numbers import number, seconds
from verify.report.result import HISTOGRAM_EDGES, OutputComparison, Timing
from verify.report.scale import around, power_of_ten
from verify.report.training import LossCurve

Tick = tuple[str, float]
"""A label and its place in percent."""

LATENCY_BINS = 28


@dataclass(frozen=True)
class Point:
    """A dot: place in percent from the left and from the top, class for its colour, and text."""

    x: float
    y: float
    kind: str
    text: str


@dataclass(frozen=True)
class Bar:
    """A bar: height in percent, class for its colour, and text."""

    height: float
    kind: str
    text: str


@dataclass(frozen=True)
class Chart:
    """A drawing.

    Attributes:
        paths: SVG path by class; coordinates run from 0 to 100, y downwards.
        points: dots over the paths.
        bars: series of bars by class, each over the whole width.
        x_ticks, y_ticks: labels, from the left and from the top.
        marks: vertical lines: text, place, class.
    """

    paths: dict[str, str] = field(default_factory=dict)
    points: tuple[Point, ...] = ()
    bars: dict[str, tuple[Bar, ...]] = field(default_factory=dict)
    x_ticks: tuple[Tick, ...] = ()
    y_ticks: tuple[Tick, ...] = ()
    marks: tuple[tuple[str, float, str], ...] = ()


def along_the_network(depth: Depth) -> Chart:
    """Draw each node's error, noise and limit over its place in the graph, logarithmically."""
    nodes = depth.nodes
    scale = around(v for n in nodes for v in (n.error, n.noise, n.limit))
    last = max(1, len(nodes) - 1)

    def at(place: int) -> float:
        return round(100 * place / last, 3)

    points = [
        Point(at(place), 100.0 - (0.0 if math.isnan(node.error) else scale.percent(node.error)),
              node.status.value, _node_text(node))
        for place, node in enumerate(nodes)
    ]  # fmt: skip
    # Those that matter are drawn last, over the others.
    points.sort(key=lambda point: point.kind == NodeStatus.ORIGIN)
    paths = {
        kind: _path([(at(i), 100.0 - scale.percent(getattr(node, kind)))
                     for i, node in enumerate(nodes) if not math.isnan(getattr(node, kind))])
        for kind in ("noise", "limit", "error")
    }  # fmt: skip
    step = max(1, math.ceil(len(nodes) / 8))
    x_ticks = tuple((str(nodes[i].index), at(i)) for i in range(0, len(nodes), step))
    y_ticks = tuple((text, 100.0 - place) for text, place in scale.ticks(6))
    return Chart(paths, tuple(points), x_ticks=x_ticks, y_ticks=y_ticks)


def histogram(item: OutputComparison) -> Chart | None:
    """Draw how many elements differ by how much, a bar per decade; heights are logarithmic."""
    if not sum(item.histogram):
        return None
    peak = item.max_abs / item.max_rel if item.max_rel and math.isfinite(item.max_rel) else 0.0
    limit = item.limit / peak if peak else math.nan
    most = math.log1p(max(item.histogram))
    bars, bins = [], len(item.histogram)
    for place, count in enumerate(item.histogram):
        low = HISTOGRAM_EDGES[place - 2] if place >= 2 else 0.0
        kind = "over" if not item.passed and low >= limit else "within"
        where = "equal" if place == 0 else _bin_text(place)
        bars.append(Bar(round(100 * math.log1p(count) / most, 1), kind, f"{count} {where}"))
    ticks = [("0", 50 / bins)]
    # An edge lies between two bars: the first two stand for zero and for less than 1e-12.
    edges = [(round(math.log10(edge)), place) for place, edge in enumerate(HISTOGRAM_EDGES)]
    ticks += [(power_of_ten(e), 100 * (i + 2) / bins) for e, i in edges if e % 3 == 0 and i]
    marks = []
    for text, value, kind in (("limit", limit, "limit"), ("noise", item.noise, "noise")):
        if value is not None and value > 0:
            marks.append((f"{text} {number(value)}", _on_edges(value, bins), kind))
    return Chart(bars={"counts": tuple(bars)}, x_ticks=tuple(ticks), marks=tuple(marks))


def latencies(a: Timing, b: Timing) -> Chart | None:
    """Draw how often each duration was measured, both sides over one logarithmic axis."""
    samples = {"a": getattr(a, "samples", ()), "b": getattr(b, "samples", ())}
    every = [value for values in samples.values() for value in values if value > 0]
    if not every:
        return None
    low, high = math.log(min(every)), math.log(max(every))
    width = (high - low) / LATENCY_BINS or 1.0
    bars = {}
    for side, values in samples.items():
        counts = [0] * LATENCY_BINS
        for value in values:
            counts[min(LATENCY_BINS - 1, int((math.log(max(value, 1e-12)) - low) / width))] += 1
        bars[side] = tuple(
            Bar(100 * count / max(*counts, 1), side,
                f"{side}: {count} of {len(values)} runs around "
                f"{seconds(math.exp(low + (place + 0.5) * width))}")
            for place, count in enumerate(counts)
        )  # fmt: skip
    span = width * LATENCY_BINS
    ticks = tuple((seconds(math.exp(low + part * span)), 100 * part) for part in (0, 0.5, 1))
    marks = tuple(
        (f"{side} {seconds(timing.median)}", 100 * (math.log(timing.median) - low) / span, side)
        for side, timing in (("a", a), ("b", b))
        if timing.median > 0
    )
    return Chart(bars=bars, x_ticks=ticks, marks=marks)


def losses(curve: LossCurve) -> Chart:
    """Draw the loss of both sides over the steps."""
    values = [value for value in (*curve.a, *curve.b) if math.isfinite(value)] or [0.0]
    low, high = min(values), max(values)
    span = high - low or 1.0
    last = max(1, len(curve.a) - 1, len(curve.b) - 1)

    def path(points: Sequence[float]) -> str:
        return _path([(round(100 * i / last, 2), round(100 - 100 * (value - low) / span, 2))
                      for i, value in enumerate(points) if math.isfinite(value)])  # fmt: skip

    step = max(1, math.ceil(last / 6))
    x_ticks = tuple((str(i), round(100 * i / last, 2)) for i in range(0, last + 1, step))
    y_ticks = ((f"{high:.4g}", 0.0), (f"{low:.4g}", 100.0))
    return Chart({"a": path(curve.a), "b": path(curve.b)}, x_ticks=x_ticks, y_ticks=y_ticks)


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{'L' if i else 'M'}{x:g} {y:g}" for i, (x, y) in enumerate(points))


def _on_edges(value: float, bins: int) -> float:
    """Return the place of a relative error on the histogram's axis."""
    decades = math.log10(value) - math.log10(HISTOGRAM_EDGES[0])
    return round(100 * min(1.0, max(0.0, (decades + 2) / bins)), 2)


def _bin_text(place: int) -> str:
    below = HISTOGRAM_EDGES[place - 1] if place <= len(HISTOGRAM_EDGES) else math.inf
    if math.isinf(below):
        return f"differ by {HISTOGRAM_EDGES[-1]:g} times the largest value or more"
    return f"differ by less than {below:.0e} of the largest value"


def _node_text(node: NodeComparison) -> str:
    names = filter(None, (node.module_path, node.source_line))
    figures = "not seen" if math.isnan(node.error) else f"error {number(node.error)}"
    where = ", ".join((f"{node.index} {node.op} {node.node}", *names))
    return f"{where}: {figures}, limit {number(node.limit)}, {node.status.value}"
