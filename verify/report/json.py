"""The report as JSON; `verify.report.schema` says what it holds (`docs/report.schema.json`).

All sizes are in bytes, all times in seconds. JSON has no NaN and no infinities: they are the texts
``"nan"``, ``"inf"`` and ``"-inf"``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from verify.report.files import write_text
from verify.report.plain import plain
from verify.report.result import Report

VERSION = 2
"""Grows when a property goes or changes its meaning; new ones may come without that."""


def to_data(report: Report) -> dict[str, Any]:
    """Return the report as plain data that `json.dumps` takes, without NaN and infinities."""
    worked_out = {"outputs": plain(report.outputs), "failures": report.failures}
    return {"equiport_report": VERSION, **plain(report), **worked_out}


def write(report: Report, path: str | Path | None) -> str:
    """Return the JSON text, and write it if there is a path.

    Raises:
        OutputError: the file cannot be written.
    """
    text = json.dumps(to_data(report), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    if path is not None:
        write_text(text, path)
    return text
