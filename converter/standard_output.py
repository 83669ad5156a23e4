"""Standard output whose reader may leave: ``verify a b | head -1``.

What is left to say then goes nowhere. The run goes on, writes its files and ends with its own exit
code: a reader who has seen enough is no verdict.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Send standard output to nowhere once its reader has closed it."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def console(stream: Any, width: int | None) -> Any:
    """Return rich's console for a stream; a closed pipe is a `BrokenPipeError`, as elsewhere."""
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich itself would end the process with exit code 1

    return Plain(file=stream, width=width)
