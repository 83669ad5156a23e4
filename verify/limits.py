"""What a worker may take of the machine: threads and memory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from converter.errors import UsageError

THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS",
)  # fmt: skip
"""Read by PyTorch, NumPy and TensorFlow when they start; by our runtimes for the others."""

_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}


def with_threads(environment: Mapping[str, str], threads: int | None) -> dict[str, str]:
    """Return an environment in which a framework computes on so many threads.

    Raises:
        UsageError: the number is below 1.
    """
    if threads is None:
        return dict(environment)
    if threads < 1:
        raise UsageError(f"threads is {threads}, it must be at least 1")
    return {**environment, **dict.fromkeys(THREAD_VARIABLES, str(threads))}


def threads() -> int | None:
    """Return how many threads this process's environment allows; ``None``: as many as there are."""
    text = os.environ.get("OMP_NUM_THREADS", "")
    return int(text) if text.isdigit() and int(text) else None


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Let PyTorch compute on so many threads in this process, and put its number back."""
    if count is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def memory_size(text: str | int | None) -> int | None:
    """Read a number of bytes: ``4GB``, ``500 MB`` (10**6 bytes), or a plain number.

    Raises:
        UsageError: the text is no size, or is zero.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?b)?", str(text).strip().lower())
    size = int(float(match[1]) * _UNITS[match[2] or ""]) if match else 0
    if size <= 0:
        raise UsageError(
            f"cannot read the memory limit {text!r}", hint="Write a size such as 4GB or 500MB."
        )
    return size


def limit_memory(size: int | None) -> None:
    """Let allocations of this process fail past a number of bytes.

    ``RLIMIT_DATA`` counts what is allocated, not address space that is only reserved: CUDA and the
    frameworks reserve far more than they use. Linux alone holds to it.
    """
    if size is None:
        return
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hardest = resource.getrlimit(resource.RLIMIT_DATA)
    if hardest != resource.RLIM_INFINITY:
        size = min(size, hardest)
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
