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

    def step(self, text: str, share: float | None = None, left: float | None = None) -> None:
        """Show what a long stage does now.

        Args:
            share: how far the stage is, 0 to 1; ``None``: nobody knows.
            left: seconds until its end; ``None``: nobody knows.
        """

    def message(self, text: str) -> None:
        """Show a line between the stages."""


class Bar:
    """One line on a terminal that goes when it is done: what is done, a bar, and the time.

    The bar shows how far it is where that is known, else only that something moves.
    """

    def __init__(self, console: Any, text: str) -> None:
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self.display = Progress(
            SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(20),
            TimeElapsedColumn(), TextColumn("{task.fields[left]}"), console=console, transient=True,
        )  # fmt: skip
        self.task = self.display.add_task(text, total=None, left="")

    def __enter__(self) -> Bar:
        self.display.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.display.stop()

    def show(self, text: str, share: float | None = None, left: float | None = None) -> None:
        """Say what is done now.

        Args:
            share: how far it is, 0 to 1; ``None``: nobody knows.
            left: seconds until the end; ``None``: nobody knows.
        """
        words = "" if left is None else f"about {left:.0f} s left"
        total = None if share is None else 1.0
        self.display.update(
            self.task, description=text, total=total, completed=share or 0.0, left=words
        )


class TerminalProgress(Progress):
    """A bar on a terminal, plain lines elsewhere; on standard error."""

    def __init__(self, console: Any) -> None:
        super().__init__()
        self.console = console
        self.bar: Bar | None = None

    @contextmanager
    def shown(self, stage: Stage) -> Iterator[None]:
        if not self.console.is_terminal:
            yield
            return
        with Bar(self.console, stage.name) as self.bar:
            try:
                yield
            finally:
                self.bar = None

    def step(self, text: str, share: float | None = None, left: float | None = None) -> None:
        if self.bar is not None:
            self.bar.show(f"{self.current}: {text}", share, left)

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
