"""Calls that have a translation which does not cover them: refused by name, before any work.

Each function takes the arguments of a call by name, tensors as values without data, and returns
what is not covered, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

aten = torch.ops.aten


def smooth(given: dict[str, Any]) -> str:
    """Antialiased interpolation: ONNX Runtime's kernel differs with aligned corners."""
    return "align_corners=True" if given.get("align_corners") else ""


LIMITS: dict[Any, Callable[[dict[str, Any]], str]] = {
    aten._upsample_bilinear2d_aa.default: smooth,
    aten._upsample_bicubic2d_aa.default: smooth,
}


def beyond(operator: Any, given: dict[str, Any]) -> str:
    """Return what about a call its translation does not cover, or ``""``."""
    check = LIMITS.get(operator)
    return check(given) if check else ""
