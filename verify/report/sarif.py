"""The report as SARIF 2.1.0, the format in which code hosts and editors show what a check found.

Where an error begins is shown at the user's source line; what has no line (an output that differs,
a run that crashed) is shown at the model's file.
https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from verify.release import release
from verify.report.failures import Kind, failed
from verify.report.files import write_text
from verify.report.location import NodeComparison
from verify.report.numbers import number
from verify.report.result import Report, Side

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
RULES = {
    "node": "An error begins at this operator: what it reads is right, its result is not",
    "mismatch": "An output of the target differs from the source's by more than is legitimate",
    "run": "A model did not get through a run",
    "weight": "A weight of the source is missing or different in the target",
    "random": "A random output does not have the source's distribution",
    "training": "Source and target do not train alike",
    "latency": "The target is slower than allowed",
    "comparison": "Nothing was compared",
    "limits": "Fixed limits decided, not the measured noise of the source",
    "finding": "Something to know beside the verdict",
}


def to_sarif(report: Report) -> dict[str, Any]:
    """Return the log as plain data."""
    results = [_result(report, found) for found in _found(report)]
    used = [rule for rule in RULES if any(item["ruleId"] == rule for item in results)]
    rules = [{"id": rule, "shortDescription": {"text": RULES[rule]}} for rule in used]
    for item in results:
        item["ruleIndex"] = used.index(item["ruleId"])
    driver = {"name": "Equiport verify", "version": release(), "rules": rules}
    run = {
        "tool": {"driver": driver}, "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "root of the user's code"}}},
        "results": results,
        "properties": {"a": report.a.name, "b": report.b.name, "passed": report.passed},
    }  # fmt: skip
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def write(report: Report, path: str | Path | None) -> str:
    """Return the SARIF text, and write it if there is a path.

    Raises:
        OutputError: the file cannot be written.
    """
    text = json.dumps(to_sarif(report), indent=1, ensure_ascii=False) + "\n"
    if path is not None:
        write_text(text, path)
    return text


def origins(report: Report) -> list[NodeComparison]:
    """Return where errors begin: as located, most likely first, then what the depth shows more."""
    located = report.location.origins if report.location is not None else ()
    deep = report.depth.origins if report.depth is not None else ()
    by_index: dict[int, NodeComparison] = {}
    for node in (*located, *deep):
        by_index.setdefault(node.index, node)
    return list(by_index.values())


class Found(NamedTuple):
    """One result; ``identity`` is what stays the same when its figures move."""

    rule: str
    level: str
    text: str
    identity: str
    node: NodeComparison | None = None


def _found(report: Report) -> Iterator[Found]:
    nodes = origins(report)
    for node in nodes:
        identity = f"{node.module_path}/{node.node}"
        yield Found(Kind.NODE, "error", _node_text(report, node), identity, node)
    first = nodes[0] if nodes else None
    for output in report.outputs.values():
        if not output.passed:
            text = f"output {output.name}: {output.reason}"
            yield Found(Kind.MISMATCH, "error", text, output.name, first)
    for item in failed(report):
        if item.kind not in (Kind.NODE, Kind.MISMATCH):
            yield Found(item.kind, "error", item.text, _without_figures(item.text))
    if warning := report.limits.warning:
        yield Found("limits", "warning", warning, _without_figures(warning))
    for line in report.findings:
        yield Found("finding", "note", line, _without_figures(line))


def _without_figures(text: str) -> str:
    return re.sub(r"\d+\.\d+(e[+-]?\d+)?|\d+e[+-]?\d+", "#", text)


def _node_text(report: Report, node: NodeComparison) -> str:
    module = f" of {node.module_path}" if node.module_path else ""
    leg = f"; to blame: {report.location.leg.value}" if report.location is not None else ""
    weights = f"; it reads {', '.join(node.weights)}" if node.weights else ""
    return (
        f"{node.op}{module} ({node.node}): error {number(node.error)} of the largest value begins "
        f"here, {number(node.limit)} is its limit{weights}{leg}"
    )


def _result(report: Report, found: Found) -> dict[str, Any]:
    node = found.node
    location: dict[str, Any] = {}
    if node is not None:
        location["logicalLocations"] = [_logical(node)]
    place = _line(node.source_line) if node is not None else None
    place = place or _file(report.b) or _file(report.a)
    if place is not None:
        location["physicalLocation"] = place
    # By this a code host knows a finding that it has shown before.
    identity = "|".join((found.rule, report.a.name, found.identity))
    result = {
        "ruleId": found.rule, "level": found.level, "message": {"text": found.text},
        "partialFingerprints": {"equiport/v1": hashlib.sha256(identity.encode()).hexdigest()[:32]},
    }  # fmt: skip
    return result | ({"locations": [location]} if location else {})


def _line(source_line: str) -> dict[str, Any] | None:
    """Read ``models/block.py:31``."""
    name, separator, line = source_line.rpartition(":")
    if not separator or not line.isdecimal() or int(line) < 1:
        return None
    uri = quote(name.replace("\\", "/"))
    return {"artifactLocation": {"uri": uri, "uriBaseId": "SRCROOT"},
            "region": {"startLine": int(line)}}  # fmt: skip


def _file(side: Side) -> dict[str, Any] | None:
    if side.live or not side.name:
        return None
    return {"artifactLocation": {"uri": quote(side.name), "uriBaseId": "SRCROOT"}}


def _logical(node: NodeComparison) -> dict[str, Any]:
    full = f"{node.module_path}.{node.node}" if node.module_path else node.node
    return {"name": node.node, "fullyQualifiedName": full, "kind": "member"}
