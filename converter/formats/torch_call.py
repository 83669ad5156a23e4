"""How a live PyTorch module is called: arguments that are no tensors, and caches of transformers.

A call is bound to a shallow copy, which shares weights and layers with the module: the module
itself stays as it was, whatever happens.
"""

from __future__ import annotations

import copy
import functools
import inspect
import types
from collections.abc import Mapping
from typing import Any

import torch

NO_CACHES = (
    "use_cache=False was passed to the model: its outputs hold no caches of keys and values; give "
    "use_cache=True among the inputs to have them as tensors"
)
"""What the user is told where `as_called` leaves caches out."""


def bound(module: torch.nn.Module, fixed: Mapping[str, Any]) -> torch.nn.Module:
    """Return a copy that passes some arguments itself; its ``forward`` takes the others.

    Caches in what it returns become nested tuples of tensors.
    """
    clone = copy.copy(module)  # its dicts of parameters and children are the module's own
    forward = type(module).forward
    before = module.__dict__.get("forward")

    @functools.wraps(forward)
    def call(self: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
        run = before.__func__ if before is not None else forward
        return without_caches(run(self, *args, **kwargs, **fixed))

    signature = inspect.signature(before.__func__ if before is not None else forward)
    left = [p for p in signature.parameters.values() if p.name not in fixed]
    call.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
    clone.__dict__["forward"] = types.MethodType(call, clone)
    return clone


def as_called(module: torch.nn.Module) -> tuple[torch.nn.Module, list[str]]:
    """Return a module as tracing and verifying call it, and what the user should know of that.

    A model of the library transformers keeps no caches unless it was asked to: they are objects of
    its own, and nobody gives them back to the model. Any other module is returned as it is.
    """
    if not is_transformers(module):
        return module, []
    fixed: dict[str, Any] = {}
    taken = inspect.signature(module.forward).parameters
    if keeps_caches(getattr(module, "config", None)) and "use_cache" in taken:
        fixed["use_cache"] = False
    return bound(module, fixed), [NO_CACHES] if fixed else []


def is_transformers(module: torch.nn.Module) -> bool:
    """Tell whether a module is a model of the library transformers."""
    bases = ((base.__module__, base.__name__) for base in type(module).__mro__)
    return ("transformers.modeling_utils", "PreTrainedModel") in bases


def keeps_caches(config: Any) -> bool:
    """Tell whether a configuration of transformers asks for caches."""
    decodes = getattr(config, "is_encoder_decoder", False) or getattr(config, "is_decoder", True)
    return bool(decodes and getattr(config, "use_cache", False))


def without_caches(result: Any) -> Any:
    """Return a result with tuples of keys and values in place of caches of transformers."""
    if not isinstance(result, Mapping):
        return result
    plain = {name: _tensors(value) for name, value in result.items()}
    changed = any(plain[name] is not value for name, value in result.items())
    return (
        {name: value for name, value in plain.items() if value is not None} if changed else result
    )


def _tensors(value: Any) -> Any:
    parts = [
        getattr(value, name, None) for name in ("self_attention_cache", "cross_attention_cache")
    ]
    if all(part is not None for part in parts):
        return tuple(map(_tensors, parts))
    layers = getattr(value, "layers", None)
    if isinstance(layers, list) and all(hasattr(layer, "keys") for layer in layers):
        return tuple((layer.keys, layer.values) for layer in layers)
    return value
