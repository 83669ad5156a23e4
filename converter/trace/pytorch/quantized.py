"""Quantised modules: their weights are packed by PyTorch and no graph can be traced of them."""

from __future__ import annotations

import torch

from converter.errors import TraceError

PACKAGES = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.nn.quantized")


def refuse_quantized(model: torch.nn.Module) -> None:
    """Refuse a model with quantised modules.

    Raises:
        TraceError: names each module and its class.
    """
    found = [
        (path, type(module).__name__)
        for path, module in model.named_modules()
        if type(module).__module__.startswith(PACKAGES)
    ]
    if found:
        names = ", ".join(f"{path or 'the model itself'} ({kind})" for path, kind in found)
        raise TraceError(
            f"{len(found)} module(s) are quantised: {names}",
            module_path=found[0][0] or None,
            hint="Convert the model before it is quantised, and quantise the result with the "
            "target's own tools.",
        )
