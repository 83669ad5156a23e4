"""PyTorch, eager: an `nn.Module`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from converter.errors import UsageError
from converter.formats.torch_call import as_called
from converter.signature import Signature
from verify.binding import bind, input_names, parameters_of
from verify.runtimes.torch_precision import full_float32
from verify.runtimes.torch_tensors import from_numpy, to_numpy
from verify.structure import torch_leaves

if TYPE_CHECKING:
    import numpy as np

    from converter.formats import Source


class TorchRunner:
    """Runs a callable of PyTorch tensors; see `verify.runtimes.Runner`.

    ``declared`` says that the signature's output names are the model's own, not made up in loading.
    """

    declared = False

    def __init__(
        self, function: Any, device: torch.device, signature: Signature | None, parameters: list
    ) -> None:
        self.function, self.device, self.signature = function, device, signature
        self.parameters = parameters
        self.input_names = input_names(parameters)
        self.named_outputs = False

    def prepare(self, inputs: dict[str, np.ndarray]) -> Any:
        tensors = {name: on_device(from_numpy(a), self.device) for name, a in inputs.items()}
        return bind(tensors, self.parameters)

    def call(self, prepared: Any) -> Any:
        args, kwargs = prepared
        with torch.no_grad(), full_float32(self.device):
            result = self.function(*args, **kwargs)
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return result

    def fetch(self, result: Any) -> dict[str, np.ndarray]:
        leaves, self.named_outputs = torch_leaves(unpacked(result))
        outputs = self.signature.outputs if self.signature else ()
        if outputs and not self.named_outputs and len(outputs) == len(leaves):
            leaves = [(s.name, value) for s, (_, value) in zip(outputs, leaves, strict=True)]
            self.named_outputs = self.declared
        return {name: to_numpy(value) for name, value in leaves}

    def held(self, names: list[str]) -> dict[str, np.ndarray]:
        return {name: to_numpy(value).copy() for name, value in self._buffers().items()}

    def put(self, values: dict[str, np.ndarray]) -> None:
        buffers = self._buffers()
        with torch.no_grad():
            for name, array in values.items():
                buffers[name].copy_(from_numpy(array))

    def _buffers(self) -> dict[str, torch.Tensor]:
        module = self.function
        return dict(module.named_buffers()) if isinstance(module, torch.nn.Module) else {}

    def close(self) -> None:
        """Nothing to put back."""


class ModuleRunner(TorchRunner):
    """Runs a live module in evaluation mode, and puts its modes back afterwards."""

    def __init__(self, module: torch.nn.Module, device: torch.device, signature: Any) -> None:
        super().__init__(module, device, signature, parameters_of(module.forward))
        # What `torch.jit.freeze` made has no mode.
        self.trained = [child for child in module.modules() if getattr(child, "training", False)]
        for child in self.trained:
            child.training = False

    def close(self) -> None:
        for child in self.trained:
            child.training = True


def open(source: Source, device: str, signature: Signature | None) -> TorchRunner:
    """Get a module ready; a live one stays on its device."""
    module = source.model
    place = torch_device(device)
    if source.path is not None:
        module = module.to(place)
    else:
        place = next((p.device for p in module.parameters()), place)
    own = getattr(module, "signature", None)
    own = own if isinstance(own, Signature) else None
    called, _ = as_called(module)
    runner = ModuleRunner(called, place, source.signature or own)
    runner.declared = own is not None or source.record is not None
    return runner


def torch_device(name: str) -> torch.device:
    """Return the device, a GPU with its number: ``cuda`` and ``cuda:0`` are not equal in checks.

    Raises:
        UsageError: there is no such device here.
    """
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError("PyTorch sees no CUDA device", hint="Use --device cpu.")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"PyTorch knows no device {name!r}", hint="Use cpu or cuda.") from error
    if device.type == "cuda" and device.index is None:
        return torch.device("cuda", torch.cuda.current_device())
    return device


def on_device(value: Any, device: torch.device) -> Any:
    """Move a tensor; anything else stays."""
    return value.to(device) if isinstance(value, torch.Tensor) else value


def unpacked(result: Any) -> Any:
    """Return containers that only PyTorch knows (caches, output classes) as plain ones."""
    from collections.abc import Mapping

    if isinstance(result, Mapping):
        return {key: unpacked(item) for key, item in result.items()}
    if isinstance(result, list | tuple) and not hasattr(result, "_fields"):
        return [unpacked(item) for item in result]
    if result is None or isinstance(result, torch.Tensor | list | tuple):
        return result
    leaves = torch.utils._pytree.tree_leaves(result)
    return result if leaves == [result] else leaves
