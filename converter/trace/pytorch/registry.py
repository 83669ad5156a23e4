"""The table that says which ONNX operators each of PyTorch's operators becomes.

`torch.onnx.export` makes it anew at each call, which takes longer than the rest of a small
conversion: some 500 functions are parsed. Here it is made once in a process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from converter.trace.pytorch import (
    attention,
    choosing,
    dropout,
    orders,
    recurrent,
    resizing,
    shapes,
)

OPSET = 23
"""The newest opset that `torch.onnx` has translations for."""


@cache
def registry() -> Any:
    """Return `torch.onnx`'s translations with ours before them. Nobody may change it."""
    from torch.onnx._internal.exporter import _registration

    made = _registration.ONNXRegistry.from_torchlib(opset_version=OPSET)
    for operator, translation in own_translations().items():
        made.register_op(operator, translation, is_complex=False)
    return made


def own_translations() -> Mapping[Callable[..., Any], Callable[..., Any]]:
    """Return our own translations by operator."""
    return (
        recurrent.translations()
        | attention.TRANSLATIONS
        | resizing.TRANSLATIONS
        | choosing.TRANSLATIONS
        | orders.TRANSLATIONS
        | shapes.TRANSLATIONS
        | dropout.TRANSLATIONS
    )
