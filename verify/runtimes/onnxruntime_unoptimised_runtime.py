"""ONNX Runtime without its graph optimisations: each node runs as the file has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnxruntime

from converter.signature import Signature
from verify.runtimes.onnxruntime_runtime import OnnxRunner, session_runner

if TYPE_CHECKING:
    from converter.formats import Source


def open(source: Source, device: str, signature: Signature | None) -> OnnxRunner:
    """Make a session that rewrites nothing; raises as `onnxruntime_runtime.open` does."""
    return session_runner(source, device, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
