"""The report as JSON.

Schema, version 1 (all sizes in bytes, all times in seconds)::

    equiport_report: 1
    passed: bool
    a, b: {label, name, framework, kind, runtime, device, versions, live, load_seconds, peak_bytes}
    outputs: {NAME: COMPARISON}       the worst of all runs
    runs: [{label, seed, sizes: {DIM: int}, stage, side, reason, outputs: {NAME: COMPARISON},
            seconds: {SIDE: float}}]
    latency: null or {a, b: {median, p90, runs}, ratio, max_slowdown, inputs, passed}
    findings: [text]
    failures: [text]

    COMPARISON: {name, dtype, shape, max_abs, mean_abs, max_rel, cosine, snr_db, mismatches, count,
                 limit, limit_reason, passed, reason, noise}

``stage`` is one of ok, refused, load, run, mismatch, timeout, crash. JSON has no NaN and no
infinities: they are the texts ``"nan"``, ``"inf"`` and ``"-inf"``.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from verify.report.files import write_text
from verify.report.result import Report

VERSION = 1


def to_data(report: Report) -> dict[str, Any]:
    """Return the report as plain data that `json.dumps` takes, without NaN and infinities."""
    data = {
        "equiport_report": VERSION,
        "passed": report.passed,
        "a": asdict(report.a),
        "b": asdict(report.b),
        "outputs": {name: asdict(item) for name, item in report.outputs.items()},
        "runs": [asdict(run) for run in report.runs],
        "latency": None,
        "findings": report.findings,
        "failures": report.failures,
    }
    if report.latency is not None:
        data["latency"] = asdict(report.latency) | {"passed": report.latency.passed}
    result: dict[str, Any] = _plain(data)
    return result


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def write(report: Report, path: str | Path | None) -> str:
    """Return the JSON text, and write it if there is a path.

    Raises:
        OutputError: the file cannot be written.
    """
    text = json.dumps(to_data(report), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    if path is not None:
        write_text(text, path)
    return text
