"""PyTorch: a TorchScript module."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from converter.formats.torch_signature import numbers_as_declared
from converter.signature import Signature
from verify.runtimes.torch_runtime import ModuleRunner, torch_device

if TYPE_CHECKING:
    import numpy as np

    from converter.formats import Source


class ScriptRunner(ModuleRunner):
    """Runs a script; numbers go in as numbers where it declares them."""

    def prepare(self, inputs: dict[str, np.ndarray]) -> Any:
        args, kwargs = super().prepare(inputs)
        names = [parameter.name for parameter in self.parameters]
        if set(kwargs) <= set(names):
            ordered = [*args, *(kwargs[name] for name in names[len(args) :] if name in kwargs)]
            return numbers_as_declared(self.function, ordered), {}
        return args, kwargs


def open(source: Source, device: str, signature: Signature | None) -> ScriptRunner:
    """Get a scripted or traced module ready."""
    place = torch_device(device)
    module = source.model.to(place) if source.path is not None else source.model
    runner = ScriptRunner(module, place, source.signature)
    runner.parameters = _parameters(module)
    runner.input_names = [parameter.name for parameter in runner.parameters]
    return runner


def _parameters(module: Any) -> list[inspect.Parameter]:
    """Read the parameters off the compiled code: Python's own view of it is ``*args``."""
    arguments = module.forward.schema.arguments[1:]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [inspect.Parameter(argument.name, kind) for argument in arguments]
