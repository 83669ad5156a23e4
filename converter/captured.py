"""Keep what the frameworks write to standard error off the user's terminal.

TensorFlow logs from C++ before anything in Python could stop it, so the file descriptor itself is
turned aside; Equiport's own messages go to a copy of the real one.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any


@dataclass
class Captured:
    """What was turned aside.

    Attributes:
        terminal: the real standard error.
    """

    terminal: IO[str]
    _file: IO[bytes]

    def text(self) -> str:
        """Return all that was written so far."""
        self._file.seek(0)
        return self._file.read().decode(errors="replace")


@contextmanager
def captured_stderr() -> Iterator[Captured]:
    """Turn file descriptor 2 aside; a crash of the process still reports to the real one."""
    import faulthandler

    sys.stderr.flush()
    real = os.dup(2)
    terminal = os.fdopen(os.dup(real), "w", buffering=1, errors="replace")
    stderr: Any = sys.stderr
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="replace")
        faulthandler.enable(terminal)
        try:
            yield Captured(terminal, file)
        finally:
            faulthandler.disable()
            sys.stderr.close()
            sys.stderr = stderr
            os.dup2(real, 2)
            os.close(real)
            terminal.close()
