"""Give the graph's initializers the roles, names and order that they have in the source."""

from __future__ import annotations

import json
from typing import Any

import onnx_ir as ir
import torch


def bind_weights(
    model: ir.Model, program: torch.export.ExportedProgram, changed: frozenset[str] = frozenset()
) -> None:
    """Give a program's weights to its graph; see `bind_saved`.

    Tensors that the source does not save remain plain constants, but for buffers that it changes.

    Args:
        changed: names of those.
    """
    signature = program.graph_signature
    saved = {
        name: tensor
        for name, tensor in program.state_dict.items()
        if name not in signature.non_persistent_buffers
    }
    saved |= {name: tensor for name, tensor in program.named_buffers() if name in changed}
    bind_saved(model, saved)


def bind_saved(model: ir.Model, saved: dict[str, torch.Tensor]) -> None:
    """Say of each weight whether it is a parameter or a buffer, and add those that nothing reads.

    A weight that the source has under several names keeps the first; the others are recorded as
    its aliases. In place.
    """
    graph = model.graph
    values = dict(graph.initializers)
    graph.initializers.clear()
    for names in tied(saved).values():
        used = [values.pop(name) for name in names if name in values]
        value = used[0] if used else unread(names[0], saved[names[0]])
        for twin in used[1:]:
            twin.replace_all_uses_with(value)
        value.name = names[0]
        trainable = (
            isinstance(saved[names[0]], torch.nn.Parameter) and saved[names[0]].requires_grad
        )
        value.metadata_props["equiport.role"] = "parameter" if trainable else "buffer"
        if names[1:]:
            value.metadata_props["equiport.aliases"] = json.dumps(names[1:])
        graph.register_initializer(value)
    for value in values.values():
        graph.register_initializer(value)


def tied(tensors: dict[str, torch.Tensor]) -> dict[Any, list[str]]:
    """Group the names by the memory that they stand for, in order."""
    groups: dict[Any, list[str]] = {}
    for name, tensor in tensors.items():
        groups.setdefault(memory_of(name, tensor), []).append(name)
    return groups


def memory_of(name: str, tensor: torch.Tensor) -> Any:
    """Return what is equal for two names of the same elements."""
    if tensor.numel() == 0:
        return name
    start = tensor.untyped_storage().data_ptr()
    return start, tensor.storage_offset(), tuple(tensor.shape), tensor.stride(), tensor.dtype


def unread(name: str, tensor: torch.Tensor) -> ir.Value:
    """Return an initializer for a weight that the graph does not use."""
    from torch.onnx._internal.exporter._core import TorchTensor

    held = TorchTensor(tensor.detach(), name=name)
    return ir.Value(
        name=name,
        shape=ir.Shape(list(tensor.shape)),
        type=ir.TensorType(held.dtype),
        const_value=held,
    )
