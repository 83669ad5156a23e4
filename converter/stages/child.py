"""What a worker process does first: tie itself to its parent, and keep its answers clean."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import TextIO

PR_SET_PDEATHSIG = 1
"""From Linux's ``sys/prctl.h``."""


def volunteer() -> None:
    """Ask Linux to end this process with its parent, and first of all when memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(OSError, AttributeError):  # another system, where we go without
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    adopted = os.getppid() == 1 and os.environ.get("EQUIPORT_PARENT", "1") != "1"
    if adopted:  # it ended before we asked
        os._exit(1)


def channels() -> tuple[TextIO, TextIO]:
    """Keep standard input and output to ourselves; returns them.

    What a framework prints must not end up in an answer: it goes to standard error from here on.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    commands = os.fdopen(os.dup(0), "r", encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    return commands, answers
