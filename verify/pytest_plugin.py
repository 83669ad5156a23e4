"""A pytest plugin: the fixtures `assert_equivalent` and `verify_models`.

With ``--equiport-reports DIR`` (or ``equiport_reports`` in the ini file) each comparison that fails
leaves its page and its JSON there; the test's own report says where.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from verify.report.result import Report

LONGEST_NAME = 120


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the ini value."""
    told = "folder for the report of each comparison that fails (HTML and JSON)"
    group = parser.getgroup("equiport", "comparison of models")
    group.addoption("--equiport-reports", metavar="DIR", default=None, help=told)
    parser.addini("equiport_reports", told, default="")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse before any test what would only fail after the first failure."""
    if _folder(config) is not None:
        from converter.errors import MissingFrameworkError
        from verify.report.html import check_available

        try:
            check_available()
        except MissingFrameworkError as error:
            raise pytest.UsageError(f"--equiport-reports: {error}") from error


@pytest.fixture
def verify_models(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """Return `verify.verify`; the report of a comparison that fails is kept with the test's."""

    def compare(a: Any, b: Any, **options: Any) -> Report:
        __tracebackhide__ = True
        from verify.verification import verify

        report = verify(a, b, **options)
        if not report.passed:
            _keep(request.node, report)
        return report

    return compare


@pytest.fixture
def assert_equivalent(verify_models: Callable[..., Report]) -> Callable[..., None]:
    """Return `verify.assert_equivalent`: raises with the report's text unless two models agree."""

    def check(a: Any, b: Any, inputs: Any = None, **options: Any) -> None:
        __tracebackhide__ = True
        report = verify_models(a, b, inputs=inputs, **options)
        if not report.passed:
            raise AssertionError(str(report))

    return check


def _folder(config: pytest.Config) -> Path | None:
    given = config.getoption("--equiport-reports") or config.getini("equiport_reports")
    return config.rootpath / given if given else None


def _keep(item: pytest.Item, report: Report) -> None:
    """Write the report, and say in the test's report (and in its JUnit properties) where."""
    folder = _folder(item.config)
    if folder is None:
        item.add_report_section("call", "equiport", f"{report}\n--equiport-reports DIR keeps it")
        return
    count = sum(name == "equiport_report" for name, _ in item.user_properties)
    name = _file_name(item.nodeid) + (f"-{count + 1}" if count else "")
    page = folder / f"{name}.html"
    report.to_html(page)
    report.to_json(folder / f"{name}.json")
    item.user_properties.append(("equiport_report", str(page)))
    item.add_report_section("call", "equiport", f"report: {page}")


def _file_name(nodeid: str) -> str:
    """Return a name that is the test's own: readable, and distinct where characters had to go."""
    name = re.sub(r"[^\w.=-]+", "_", nodeid).strip("_")
    if name != nodeid.replace("/", "_").replace("::", "_") or len(name) > LONGEST_NAME:
        digest = hashlib.sha256(nodeid.encode()).hexdigest()[:8]
        name = f"{name[:LONGEST_NAME]}-{digest}"
    return name
