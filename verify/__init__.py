"""Run a model in two places and compare what comes out: `verify()`, `assert_equivalent()`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.report.result import Report, Stage
    from verify.verification import assert_equivalent, verify

__all__ = ["Report", "Stage", "assert_equivalent", "verify"]

_HOMES = {
    "Report": "verify.report.result",
    "Stage": "verify.report.result",
    "assert_equivalent": "verify.verification",
    "verify": "verify.verification",
}


def __getattr__(name: str) -> Any:
    """Import on first use: `verify --help` and a worker must not wait for what they do not need."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'verify' has no attribute {name!r}")
