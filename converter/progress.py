"""What a person sees while a conversion runs: each stage with its name, time and size."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any


@dataclass
class Stage:
    """One stage of the road, done or being done.

    Attributes:
        name: ``load``, ``trace``, ``rewrite``, ``rebuild``, ``save`` or ``verify``.
        seconds: how long it took.
        detail: its size, in words.
    """

    name: str
    seconds: float = 0.0
    detail: str = ""


class Progress:
    """Keeps the stages; subclasses show them."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Time a stage; the caller fills in its ``detail``."""
        stage = Stage(name)
        self.stages.append(stage)
        start = time.perf_counter()
        with self.shown(stage):
            try:
                yield stage
            finally:
                stage.seconds = time.perf_counter() - start
        self.finished(stage)

    @property
    def current(self) -> str:
        """Name of the last stage that was begun, ``start`` before there is one."""
        return self.stages[-1].name if self.stages else "start"

    def shown(self, stage: Stage) -> Any:
        """Return a context manager that shows the stage while it runs."""
        return nullcontext()

    def finished(self, stage: Stage) -> None:
        """Show a stage that succeeded."""

    def message(self, text: str) -> None:
        """Show a line between the stages."""


class TerminalProgress(Progress):
    """A spinner on a terminal, plain lines elsewhere; on standard error."""

    def __init__(self, console: Any) -> None:
        super().__init__()
        self.console = console

    def shown(self, stage: Stage) -> Any:
        if not self.console.is_terminal:
            return nullcontext()
        return self.console.status(f"[bold]{stage.name}[/bold]")

    def finished(self, stage: Stage) -> None:
        from rich.text import Text

        line = Text.assemble(
            (f"{stage.name:<8}", "bold"), f" {stage.seconds:6.1f} s  ", (stage.detail, "dim")
        )
        self.console.print(line, soft_wrap=True)

    def message(self, text: str) -> None:
        self.console.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def count(number: int, noun: str) -> str:
    """Return ``1 weight`` or ``12 weights``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def size(number: float) -> str:
    """Return a number of bytes in words: ``9.8 MB`` (10**6 bytes)."""
    for unit in ("bytes", "kB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
