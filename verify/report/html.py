"""The report as one self-contained HTML page."""

from __future__ import annotations

import math
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from converter.errors import MissingFrameworkError
from verify.report import charts, numbers
from verify.report.files import write_text
from verify.report.module_tree import tree
from verify.report.result import OutputComparison, Report
from verify.report.sarif import origins

PAGE = Path(__file__).with_name("page")
"""Folder of the page's templates, one per section, and its style sheet."""


def check_available() -> None:
    """Refuse before any work is done.

    Raises:
        MissingFrameworkError: jinja2 is not installed.
    """
    if find_spec("jinja2") is None:
        raise MissingFrameworkError(
            "an HTML report needs jinja2, which is not installed",
            hint='Install it: pip install "equiport[reports]".',
        )


def to_html(report: Report) -> str:
    """Return the page.

    Raises:
        MissingFrameworkError: jinja2 is not installed.
    """
    check_available()
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(PAGE), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {
        "number": numbers.number, "cosine": numbers.cosine, "decibel": numbers.decibel,
        "seconds": numbers.seconds, "size": numbers.size,
    }  # fmt: skip
    return environment.get_template("page.html.jinja").render(report=report, **_shown(report))


def _shown(report: Report) -> dict[str, Any]:
    """Return what the templates draw, by the name that they have for it."""
    histograms = [(item, charts.histogram(item)) for item in report.outputs.values()]
    training = report.training
    depth = report.depth
    weights = report.weights.weights if report.weights is not None else ()
    return {
        "bars": _bars(report),
        "histograms": [(item, chart) for item, chart in histograms if chart is not None],
        "origins": origins(report),
        "network": charts.along_the_network(depth) if depth is not None else None,
        "modules": tree(depth.nodes) if depth is not None else None,
        "weights": sorted(weights, key=lambda item: not item.match.failed),
        "weight_counts": Counter(item.match.value for item in weights),
        "curves": [(curve, charts.losses(curve)) for curve in training.curves] if training else [],
        "gradients": sorted(training.gradients, key=lambda item: item.passed) if training else [],
        "latency": (
            charts.latencies(report.latency.a, report.latency.b) if report.latency else None
        ),
    }


def write(report: Report, path: str | Path | None) -> str:
    """Return the page, and write it if there is a path.

    Raises:
        MissingFrameworkError: jinja2 is not installed.
        OutputError: the file cannot be written.
    """
    text = to_html(report)
    if path is not None:
        write_text(text, path)
    return text


LOWEST, HIGHEST = -9.0, 1.0
"""Ends of the error bars' logarithmic scale: relative errors of 1e-9 and 10."""


def _bars(report: Report) -> dict[str, list[dict[str, Any]]]:
    """Return, per output, each run's bar: its length and where the limit stands, in percent."""
    bars: dict[str, list[dict[str, Any]]] = {}
    for run in report.runs:
        for name, item in run.outputs.items():
            peak = item.max_abs / item.max_rel if item.max_rel else 0.0
            limit = item.limit / peak if peak and math.isfinite(peak) else math.nan
            bars.setdefault(name, []).append(
                {"run": run, "item": item, "width": _width(item), "limit": _percent(limit)}
            )
    return bars


def _width(item: OutputComparison) -> float:
    if math.isnan(item.max_rel):
        return 100.0
    return _percent(item.max_rel) or 0.0


def _percent(relative: float) -> float | None:
    if math.isnan(relative):
        return None
    if relative <= 0:
        return 0.0
    position = (min(math.log10(relative), HIGHEST) - LOWEST) / (HIGHEST - LOWEST)
    return round(100 * max(0.0, min(1.0, position)), 1)
