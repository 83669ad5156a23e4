"""PyTorch: an `ExportedProgram`, run as the module that it unpacks to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from converter.signature import Signature
from verify.runtimes.torch_runtime import TorchRunner, on_device, torch_device
from verify.runtimes.torch_runtime import open as open_module
from verify.runtimes.torch_tensors import from_numpy

if TYPE_CHECKING:
    import numpy as np

    from converter.formats import Source


class ProgramRunner(TorchRunner):
    """Runs an exported program with the structure of arguments that it was exported with."""

    def __init__(self, program: Any, device: torch.device, signature: Signature | None) -> None:
        super().__init__(program.module(), device, signature, [])
        self.in_spec = program.call_spec.in_spec
        if signature is not None:
            self.input_names = [spec.name for spec in signature.inputs]

    def prepare(self, inputs: dict[str, np.ndarray]) -> Any:
        names = self.input_names if set(self.input_names) == set(inputs) else list(inputs)
        tensors = [on_device(from_numpy(inputs[name]), self.device) for name in names]
        if self.in_spec is None or self.in_spec.num_leaves != len(tensors):
            return tuple(tensors), {}
        return torch.utils._pytree.tree_unflatten(tensors, self.in_spec)


def open(source: Source, device: str, signature: Signature | None) -> TorchRunner:
    """Unpack the program; its weights go to ``device``."""
    program = source.model
    if not isinstance(program, torch.export.ExportedProgram):
        return open_module(source, device, signature)
    place = torch_device(device)
    if place.type != "cpu":
        from torch.export.passes import move_to_device_pass

        program = move_to_device_pass(program, place)
    runner = ProgramRunner(program, place, source.signature)
    runner.declared = source.record is not None
    return runner
