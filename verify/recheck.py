"""`verify --against RECORD`: compare again as a record says, and tell what has drifted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from converter.errors import UsageError
from verify import lock
from verify.drift import Change, drift
from verify.report.result import Report

FREE = frozenset(
    ("a", "b", "against", "lock", "trust", "python_torch", "python_tf", "timeout", "budget",
     "memory_limit",
     "fail_on", "json", "junit", "html", "markdown", "sarif", "tensorboard", "repro", "summary",
     "quiet", "verbose")
)  # fmt: skip
"""Parameters of the command that may stand beside ``--against``: the others are in the record."""


class Recheck:
    """A record and what comparing by it again needs.

    Raises:
        UnreadableModelError: the record cannot be read.
        UsageError: it says something that this release does not know.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.record = lock.read(path)
        self.arguments = lock.arguments(self.record, self.path.absolute().parent)

    def models(self, a: str | None, b: str | None) -> tuple[str, str]:
        """Return the models to compare: those given, else the record's."""
        own_a, own_b = self.arguments.pop("a"), self.arguments.pop("b")
        return a or own_a, b or own_b

    def changes(self, report: Report, a: str, b: str, options: Mapping[str, Any]) -> list[Change]:
        """Return what has changed since the record was written."""
        folder = self.path.absolute().parent
        return drift(self.record, lock.record(report, Path(a), Path(b), options, folder))


def against(
    path: str | Path, a: str | None = None, b: str | None = None, **options: Any
) -> tuple[Report, list[Change]]:
    """Compare again as a record says.

    Args:
        path: the record.
        a, b: models to compare instead of the record's.
        options: of `verify.verify`, those that a record does not hold (`verify.lock.NOT_RECORDED`).

    Returns:
        The report, and what has changed, the worst first.

    Raises:
        UnreadableModelError: the record or a model cannot be read.
        UsageError: an option is one that the record decides.
    """
    from verify.verification import verify

    if decided := sorted(options.keys() - lock.NOT_RECORDED):
        raise UsageError(f"the record decides {', '.join(decided)}")
    recheck = Recheck(path)
    a, b = recheck.models(a, b)
    report = verify(a, b, **recheck.arguments, **options)
    return report, recheck.changes(report, a, b, recheck.arguments)


def refuse_decided(given: Iterable[str], spelled: Callable[[str], str]) -> None:
    """Refuse parameters of the command that a record decides.

    Args:
        given: parameters that the user gave.
        spelled: how the user writes one.

    Raises:
        UsageError: there are such.
    """
    decided = [spelled(name) for name in given if name not in FREE]
    if decided:
        raise UsageError(
            f"--against takes {', '.join(decided)} from the record",
            hint="Leave it out, or write another record with --lock.",
        )


def told(changes: list[Change], path: str | Path) -> str:
    """Return lines that say what has changed."""
    if not changes:
        return f"Nothing has changed since {path} was written.\n"
    words = {True: "DRIFT", False: "drift"}
    return "".join(f"{words[change.what.failed]}: {change.text}\n" for change in changes)
