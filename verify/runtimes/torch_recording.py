"""What a PyTorch module computes on its way, in float64: the result of every operator it calls."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from converter.errors import ConversionError
from converter.temporary import TemporaryFolder
from verify.arrays import read, write
from verify.kept import fresh_copy
from verify.runtimes.torch_runtime import ModuleRunner
from verify.runtimes.torch_tensors import to_numpy

if TYPE_CHECKING:
    import numpy as np

    from verify.engine import Engine

MOST_BYTES = 2 << 30
"""Bytes of results that are kept in memory; what comes after goes to files that are mapped."""


def run(engine: Engine, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return every operator's results, by number, module and operator: ``"12 encoder.0 aten.mm"``.

    Outputs of the module itself are not apart: they are results of operators, too.

    Raises:
        ConversionError: the source is no `nn.Module`.
    """
    source, runner = engine.source, engine.runner
    if not isinstance(runner, ModuleRunner) or not isinstance(source.model, torch.nn.Module):
        kind = source.kind.replace("_", " ")
        raise ConversionError(f"what a {kind} computes on its way cannot be recorded")
    module = fresh_copy(engine).double()
    calls = [
        torch.utils._pytree.tree_map(_wide, runner.prepare(given))
        for given in (*engine.history[:-1], inputs)
    ]
    handles = []
    usual, function = torch.get_default_dtype(), runner.function
    try:
        torch.set_default_dtype(torch.float64)
        runner.function = module
        for prepared in calls[:-1]:  # what is kept between calls is brought to where it was
            runner.call(prepared)
        # Files that are mapped stay readable when the folder is gone.
        with TemporaryFolder() as folder:
            recorder = _Recorder(folder)
            for path, child in module.named_modules():
                handles.append(child.register_forward_pre_hook(recorder.entering(path)))
                handles.append(child.register_forward_hook(recorder.leaving()))
            with recorder:
                runner.call(calls[-1])
    finally:
        torch.set_default_dtype(usual)
        runner.function = function
        for handle in handles:
            handle.remove()
    return recorder.results


def _wide(value: Any) -> Any:
    narrow = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.double() if narrow else value


class _Recorder(TorchDispatchMode):
    """Keeps the results of operators, and knows which module calls them."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.results: dict[str, np.ndarray] = {}
        self.paths: list[str] = []
        self.bytes = 0

    def entering(self, path: str) -> Any:
        return lambda module, arguments: self.paths.append(path)

    def leaving(self) -> Any:
        def leave(module: Any, arguments: Any, result: Any) -> None:
            self.paths.pop()

        return leave

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for leaf in torch.utils._pytree.tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                path = self.paths[-1] if self.paths else ""
                self.results[f"{len(self.results)} {path} {function}"] = self._kept(to_numpy(leaf))
        return result

    def _kept(self, array: np.ndarray) -> np.ndarray:
        """Return a copy, which later operators that work in place do not change."""
        if self.bytes + array.nbytes > MOST_BYTES:
            return read(write(array, self.folder / f"{len(self.results)}.npy"))
        self.bytes += array.nbytes
        return array.copy()
