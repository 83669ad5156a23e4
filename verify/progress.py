"""What a person sees while a comparison runs."""

from __future__ import annotations

import time
from typing import IO, Any


class Progress:
    """A spinner on a terminal, plain lines elsewhere; call it with what begins now."""

    def __init__(self, stream: IO[str], quiet: bool) -> None:
        self.stream, self.quiet = stream, quiet
        self.start = time.perf_counter()
        self.status: Any = None

    def __enter__(self) -> Progress:
        if not self.quiet and self.stream.isatty():
            from rich.console import Console

            self.status = Console(file=self.stream).status("starting")
            self.status.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self.status is not None:
            self.status.stop()

    def __call__(self, text: str) -> None:
        """Say what begins now."""
        if self.quiet:
            return
        if self.status is not None:
            from rich.markup import escape

            self.status.update(escape(text))
        else:
            self.stream.write(f"{time.perf_counter() - self.start:6.1f} s  {text}\n")
            self.stream.flush()
