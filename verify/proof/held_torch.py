"""The weights of a PyTorch module, script or exported program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from verify.proof.held import Holding, rename, weight_of
from verify.runtimes.torch_tensors import to_numpy

if TYPE_CHECKING:
    from converter.formats import Source


def held(source: Source) -> Holding:
    """Read the state dict; names of the same memory become one weight with aliases."""
    model = source.model
    if isinstance(model, torch.export.ExportedProgram):
        unsaved = model.graph_signature.non_persistent_buffers
        state = {name: t for name, t in model.state_dict.items() if name not in unsaved}
        trained = set(model.graph_signature.parameters)
    else:
        state = dict(model.state_dict(keep_vars=True))
        trained = {name for name, p in model.named_parameters(remove_duplicate=False)}
    state = {name: t for name, t in state.items() if isinstance(t, torch.Tensor)}
    holding = Holding()
    for first, *others in _same_memory(state):
        tensor = state[first]
        role = "parameter" if first in trained and tensor.requires_grad else "buffer"
        weight = weight_of(first, to_numpy(tensor), role, tuple(others))
        holding.weights[first] = weight
    stored = getattr(model, "permutations", None)  # one of our own results, live
    if isinstance(stored, dict):
        holding.permutations = stored
        rename(holding, {held: name for name, held in model.names.items()})
    return holding


def _same_memory(state: Mapping[str, Any]) -> list[list[str]]:
    """Group names by the elements that they stand for."""
    groups: dict[Any, list[str]] = {}
    for name, tensor in state.items():
        strided = tensor.numel() and tensor.layout is torch.strided
        place: Any = name
        if strided and not tensor.is_quantized:
            start = tensor.untyped_storage().data_ptr()
            offset = tensor.storage_offset()
            place = (start, offset, tuple(tensor.shape), tensor.stride(), tensor.dtype)
        groups.setdefault(place, []).append(name)
    return list(groups.values())
