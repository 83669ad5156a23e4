"""A question that may end the process: it is asked in a copy of it.

Some of PyTorch's kernels read past their memory where they get nothing (`embedding_bag` of no bags
in mode ``max``). A model is run at sizes that nobody asked for to learn whether it can; that must
not cost the conversion.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import time
import warnings
from collections.abc import Callable

import torch

SECONDS = 60.0
"""How long an answer is waited for. The runs are of the smallest sizes there are."""

_PAUSE = 0.002
"""Between two looks at whether the copy has ended, in seconds."""


def holds(question: Callable[[], bool]) -> bool:
    """Return the answer to a question; no answer (a crash, an error, no end) is a no.

    Where a process cannot be copied (Windows), the question is asked in this one.
    """
    if not hasattr(os, "fork"):
        return question()
    with warnings.catch_warnings():
        # Python warns of copies of processes with threads. This one only runs PyTorch, with one
        # thread, as the workers of a DataLoader do.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _answer(question)
    return _waited_for(child) == 0


def _answer(question: Callable[[], bool]) -> None:
    code = 1
    try:
        faulthandler.disable()
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        torch.set_num_threads(1)
        code = 0 if question() else 1
    finally:
        # Not `sys.exit`: what the copy inherited must not be flushed or cleaned up twice.
        os._exit(code)


def _waited_for(child: int) -> int:
    deadline = time.monotonic() + SECONDS
    try:
        while time.monotonic() < deadline:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                child = 0
                return os.waitstatus_to_exitcode(status)
            time.sleep(_PAUSE)
        return 1
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
