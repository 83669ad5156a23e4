"""LiteRT with its reference kernels: slow, plain C++ without vector instructions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.signature import Signature
from verify.runtimes.litert_runtime import LiteRTRunner, interpret

if TYPE_CHECKING:
    from converter.formats import Source


def open(source: Source, device: str, signature: Signature | None) -> LiteRTRunner:
    """Make an interpreter of a file; raises as `litert_runtime.open` does."""
    return interpret(source, device, "BUILTIN_REF")
