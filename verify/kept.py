"""What a side keeps between calls, in its own process: needs its framework alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verify.engine import Engine


def shown(name: str) -> str:
    """Return how a report calls what a buffer holds after a call."""
    return f"state {name}"


def fresh_copy(engine: Engine) -> Any:
    """Return a copy of an engine's PyTorch module that holds what it held before the first call."""
    import copy

    import torch

    from verify.runtimes.torch_tensors import from_numpy

    module = copy.deepcopy(engine.source.model)
    buffers = dict(module.named_buffers())
    with torch.no_grad():
        for name, array in (engine.initial or {}).items():
            buffers[name].copy_(from_numpy(array))
    return module
