"""Typed errors. Each names the thing by the user's name for it and says what to do next.

The class decides the exit code of the command line:
1 verification failed, 2 bad usage or unreadable input, 3 the model has something
that cannot be converted, 4 a framework that is needed is missing, 70 a defect of Equiport.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class EquiportError(Exception):
    """Base of every error a user can meet.

    Args:
        message: what went wrong, in one sentence, with the user's own names.
        hint: what to do next.
        node: the ONNX node's name, where one is to blame.
        module_path: the source's module or layer path, e.g. ``encoder.layer.0.attention``.
        source_line: ``file.py:12`` of the user's code, relative.
    """

    exit_code = 2

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        node: str | None = None,
        module_path: str | None = None,
        source_line: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.node = node
        self.module_path = module_path
        self.source_line = source_line

    def __str__(self) -> str:
        where = [
            f"{label} {value}"
            for label, value in (
                ("node", self.node),
                ("module", self.module_path),
                ("at", self.source_line),
            )
            if value
        ]
        text = self.message + (f" ({', '.join(where)})" if where else "")
        return text + (f"\n  {self.hint}" if self.hint else "")


def first_line(error: BaseException, limit: int = 300) -> str:
    """Return the first line of what an exception says; its class where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:limit] if lines else type(error).__name__


class UsageError(EquiportError):
    """The caller asked for something that does not make sense."""


class InputSpecError(UsageError):
    """An ``--input`` that cannot be parsed or does not fit the model."""


class UnreadableModelError(EquiportError):
    """The file is missing, empty, truncated or not of a known format."""


class UntrustedModelError(EquiportError):
    """Reading the file would run code that it carries; ``--trust`` was not given."""


class OutputError(EquiportError):
    """The output path exists, or cannot be written."""


class ConversionError(EquiportError):
    """The model has something that cannot be converted."""

    exit_code = 3


class TraceError(ConversionError):
    """The source framework's model could not be expressed in ONNX."""


class RebuildError(ConversionError):
    """The ONNX graph could not be rebuilt in the target framework."""


class NotExportable(RebuildError):
    """`torch.export` cannot hold a rebuilt module, which runs all the same."""


@dataclass(frozen=True)
class UnsupportedOp:
    """One place where the model uses an operator that has no handler.

    Attributes:
        op: operator with its domain, e.g. ``ai.onnx.ml.TreeEnsemble``.
        version: opset version the model asks for; 0 for an operator that is not ONNX's.
        node: the node's name.
        module_path: the source's module path, or ``""``.
        source_line: ``file.py:12``, or ``""``.
        reason: why it cannot be converted, where more is known than that it has no handler.
    """

    op: str
    version: int
    node: str
    module_path: str = ""
    source_line: str = ""
    reason: str = ""

    def __str__(self) -> str:
        version = f" (opset {self.version})" if self.version else ""
        where = ", ".join(part for part in (self.module_path, self.source_line) if part)
        text = f"{self.op}{version} at {self.node}" + (f": {where}" if where else "")
        return text + (f"\n      {self.reason}" if self.reason else "")


class UnsupportedOpsError(ConversionError):
    """All operators of the model that cannot be converted, listed before any work."""

    def __init__(self, operators: Sequence[UnsupportedOp], *, stage: str, hint: str | None = None):
        self.operators = tuple(operators)
        names = sorted({item.op for item in self.operators})
        lines = "".join(f"\n  - {item}" for item in self.operators)
        super().__init__(
            f"{len(names)} operator(s) cannot be converted while {stage}: "
            f"{', '.join(names)}{lines}",
            hint=hint,
        )


class VerificationFailed(EquiportError):
    """Source and target do not agree; ``report`` holds the comparison."""

    exit_code = 1

    def __init__(self, message: str, *, report: object = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.report = report


class MissingFrameworkError(EquiportError):
    """A framework that this step needs is not installed."""

    exit_code = 4


class DefectError(EquiportError):
    """Something went wrong that is nobody's fault but Equiport's own; it says nothing of a model.

    The exception behind it is its ``__cause__``.
    """

    exit_code = 70  # EX_SOFTWARE

    @classmethod
    def of(cls, error: Exception, doing: str) -> DefectError:
        """Return what to raise for an exception that nobody foresaw.

        Args:
            doing: what was being done: ``"the comparison"``.
        """
        return cls(
            f"internal error in {doing}: {type(error).__name__}: {first_line(error)}",
            hint="This is a defect of Equiport and no verdict. Please report it with its traceback "
            "(on the command line -v shows it).",
        )


def defects_typed_in(doing: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function so that whatever it raises is typed.

    Arguments that it does not take are the caller's mistake: Python's own `TypeError`.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        taken = inspect.signature(function)

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            taken.bind(*args, **kwargs)
            with defects_typed(doing):
                return function(*args, **kwargs)

        return call

    return decorate


@contextmanager
def defects_typed(doing: str) -> Iterator[None]:
    """Raise whatever is raised in a block and not typed as a `DefectError`."""
    try:
        yield
    except EquiportError:
        raise
    except Exception as error:
        raise DefectError.of(error, doing) from error
