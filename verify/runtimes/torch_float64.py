"""A PyTorch module in float64, beside itself in its own precision."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from converter.errors import ConversionError
from verify.runtimes.torch_runtime import ModuleRunner

if TYPE_CHECKING:
    import numpy as np

    from converter.formats import Source


def run(source: Source, runner: Any, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a copy of the source whose weights, buffers and inputs are float64.

    What the module itself computes in float32 on purpose stays float32.

    Raises:
        ConversionError: the source is no `nn.Module`.
    """
    if not isinstance(runner, ModuleRunner) or not isinstance(source.model, torch.nn.Module):
        raise ConversionError(f"a {source.kind.replace('_', ' ')} does not run in float64")
    module = copy.deepcopy(source.model).double()
    prepared = torch.utils._pytree.tree_map(_wide, runner.prepare(inputs))
    usual, function = torch.get_default_dtype(), runner.function
    try:
        torch.set_default_dtype(torch.float64)
        runner.function = module
        return runner.fetch(runner.call(prepared))
    finally:
        torch.set_default_dtype(usual)
        runner.function = function


def _wide(value: Any) -> Any:
    narrow = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.double() if narrow else value
