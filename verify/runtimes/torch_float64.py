"""A PyTorch module in float64, beside itself in its own precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from converter.errors import ConversionError
from verify.kept import fresh_copy, shown
from verify.runtimes.torch_runtime import ModuleRunner
from verify.runtimes.torch_tensors import to_numpy

if TYPE_CHECKING:
    import numpy as np

    from verify.engine import Engine


def run(engine: Engine, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a copy of the source whose weights, buffers and inputs are float64.

    What the module itself computes in float32 on purpose stays float32. What the engine keeps of
    the model is put back, and the calls before are made again.

    Raises:
        ConversionError: the source is no `nn.Module`.
    """
    source, runner = engine.source, engine.runner
    if not isinstance(runner, ModuleRunner) or not isinstance(source.model, torch.nn.Module):
        raise ConversionError(f"a {source.kind.replace('_', ' ')} does not run in float64")
    module = fresh_copy(engine).double()
    usual, function = torch.get_default_dtype(), runner.function
    try:
        torch.set_default_dtype(torch.float64)
        runner.function = module
        for given in [*engine.history[:-1], inputs]:
            prepared = torch.utils._pytree.tree_map(_wide, runner.prepare(given))
            result = runner.call(prepared)
        held = dict(module.named_buffers())
        return {
            **runner.fetch(result),
            **{shown(name): to_numpy(held[name]) for name in engine.kept},
        }
    finally:
        torch.set_default_dtype(usual)
        runner.function = function


def _wide(value: Any) -> Any:
    narrow = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.double() if narrow else value
