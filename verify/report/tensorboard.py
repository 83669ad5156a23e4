"""The report as TensorBoard event files; needs the package tensorboard, not TensorFlow.

Three runs in one folder: ``a`` and ``b``, whose curves TensorBoard lays over each other (latency,
loss) and whose graphs it draws, and ``comparison`` (errors over runs and along the network,
histograms of the differences). Histograms are of the decimal logarithm of the relative difference,
since TensorBoard's axis is linear: below -13 stands no difference, below -12 what is under 1e-12.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from converter.errors import MissingFrameworkError, OutputError
from verify.report.outline import OutlineNode
from verify.report.result import HISTOGRAM_EDGES, Report

EVENTS = "events.out.tfevents.equiport"
"""Name of each file: TensorBoard reads those that have ``tfevents`` in it."""

LOWEST = round(math.log10(HISTOGRAM_EDGES[0])) - 1
"""Upper edge of the bucket of elements that do not differ; a decade further the next one."""


def check_available() -> None:
    """Refuse before any work is done.

    Raises:
        MissingFrameworkError: tensorboard is not installed.
    """
    if find_spec("tensorboard") is None:
        raise MissingFrameworkError(
            "--tensorboard needs the package tensorboard, which is not installed",
            hint='Install it: pip install "equiport[tensorboard]".',
        )


def write(report: Report, folder: str | Path) -> None:
    """Write the event files, replacing those of an earlier report.

    Raises:
        MissingFrameworkError: tensorboard is not installed.
        OutputError: the folder cannot be written.
    """
    check_available()
    runs = {"comparison": list(_comparison(report))}
    for label in "ab":
        runs[label] = [*_graph(report.graphs.get(label, ())), *_curves(report, label)]
    for name, events in runs.items():
        if events:
            _write(events, Path(folder) / name)


def _write(events: Sequence[Any], folder: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    temporary = folder / f".{EVENTS}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            writer = RecordWriter(file)
            now = time.time()
            for event in (Event(file_version="brain.Event:2"), *events):
                event.wall_time = now
                writer.write(event.SerializeToString())
        temporary.replace(folder / EVENTS)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}") from error


def _comparison(report: Report) -> Iterator[Any]:
    for step, run in enumerate(report.runs):
        for name, item in run.outputs.items():
            yield _scalar(f"error/{name}", item.max_rel, step)
            if sum(item.histogram):
                yield _histogram(f"outputs/{name}", item.histogram, step)
    for place, node in enumerate(report.depth.nodes if report.depth is not None else ()):
        for kind in ("error", "noise", "limit"):
            value = getattr(node, kind)
            if not math.isnan(value):
                yield _scalar(f"network/{kind}", value, place)
        if sum(node.histogram):
            layer = node.module_path.replace(".", "/")
            yield _histogram(
                "/".join(filter(None, ("layers", layer, node.node))), node.histogram, 0
            )


def _curves(report: Report, label: str) -> Iterator[Any]:
    if report.latency is not None:
        timing = getattr(report.latency, label)
        yield _scalar("latency/median seconds", timing.median, 0)
        yield _scalar("latency/p90 seconds", timing.p90, 0)
        for step, value in enumerate(getattr(timing, "samples", ())):
            yield _scalar("latency/seconds", value, step)
    for curve in report.training.curves if report.training is not None else ():
        for step, value in enumerate(getattr(curve, label)):
            yield _scalar(f"loss/{curve.optimizer} {curve.dtype}", value, step)


def _scalar(tag: str, value: float, step: int) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    return Event(step=step, summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]))


def _histogram(tag: str, counts: Sequence[int], step: int) -> Any:
    """Return a histogram of ``log10(relative difference)``, a bucket per decade."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.histogram_pb2 import HistogramProto
    from tensorboard.compat.proto.summary_pb2 import Summary

    limits = [float(LOWEST + place) for place in range(len(counts))]
    there = [place for place, count in enumerate(counts) if count]
    proto = HistogramProto(
        min=limits[there[0]] - 1, max=limits[there[-1]], num=sum(counts),
        sum=sum(limit * n for limit, n in zip(limits, counts, strict=True)),
        sum_squares=sum(limit**2 * n for limit, n in zip(limits, counts, strict=True)),
        bucket_limit=limits, bucket=[float(n) for n in counts],
    )  # fmt: skip
    return Event(step=step, summary=Summary(value=[Summary.Value(tag=tag, histo=proto)]))


def _graph(nodes: Sequence[OutlineNode]) -> list[Any]:
    """Return the graph as TensorBoard's GraphDef; it groups nodes by the parts of their names."""
    if not nodes:
        return []
    from tensorboard.compat.proto.attr_value_pb2 import AttrValue
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.graph_pb2 import GraphDef
    from tensorboard.compat.proto.node_def_pb2 import NodeDef
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.versions_pb2 import VersionDef

    def definition(node: OutlineNode) -> Any:
        op = {"Input": "Placeholder", "Weight": "Const"}.get(node.op, node.op)
        made = NodeDef(name=node.name, op=op, input=node.inputs)
        for key, text in (*node.facts, ("dtype", node.dtype)):
            if text:
                made.attr[key].CopyFrom(AttrValue(s=text.encode()))
        if node.shape is not None:
            # -1 is what TensorBoard has for a size that is open.
            sizes = [TensorShapeProto.Dim(size=d if isinstance(d, int) else -1) for d in node.shape]
            shapes = AttrValue.ListValue(shape=[TensorShapeProto(dim=sizes)])
            made.attr["_output_shapes"].CopyFrom(AttrValue(list=shapes))
        return made

    graph = GraphDef(node=map(definition, nodes), versions=VersionDef(producer=22))
    return [Event(graph_def=graph.SerializeToString())]
