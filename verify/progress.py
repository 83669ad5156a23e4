"""What a person sees while a comparison runs."""

from __future__ import annotations

import time
from typing import IO, Any


class Step(str):
    """A line that says what begins now, and how far that is.

    Attributes:
        share: of the steps like this one, how many are done, 0 to 1.
        left: seconds that they will take from now on; ``None``: nobody knows.
    """

    share: float
    left: float | None

    def __new__(cls, text: str, share: float, left: float | None = None) -> Step:
        step = super().__new__(cls, text)
        step.share, step.left = share, left
        return step


class Progress:
    """A bar or a spinner on a terminal, plain lines elsewhere; call it with what begins now."""

    def __init__(self, stream: IO[str], quiet: bool) -> None:
        self.stream, self.quiet = stream, quiet
        self.start = time.perf_counter()
        self.bar: Any = None

    def __enter__(self) -> Progress:
        if not self.quiet and self.stream.isatty():
            from rich.console import Console

            from converter.progress import Bar

            self.bar = Bar(Console(file=self.stream), "starting")
            self.bar.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.__exit__(*error)

    def __call__(self, text: str) -> None:
        """Say what begins now."""
        if self.quiet:
            return
        if self.bar is not None:
            self.bar.show(text, getattr(text, "share", None), getattr(text, "left", None))
        else:
            self.stream.write(f"{time.perf_counter() - self.start:6.1f} s  {text}\n")
            self.stream.flush()
