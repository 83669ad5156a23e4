"""Keep the buffers that a module changes while it runs.

`torch.export` says in its signature which buffers those are; `torch.onnx` drops their new values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import onnx_ir as ir
import torch
from torch.export import _trace
from torch.export.graph_signature import OutputKind
from torch.onnx._internal.exporter import _core
from torch.utils._pytree import tree_map_only

from converter.errors import TraceError
from converter.graph import state

Changed = dict[str, str]
"""Buffer to the value that is its new one, in the graph's order."""


@contextmanager
def new_values_as_outputs() -> Iterator[Changed]:
    """Let `torch.onnx` put the new values of buffers behind the outputs; gives their buffers."""
    changed: Changed = {}
    translate = _core._exported_program_to_onnx_program

    def with_new_values(program: torch.export.ExportedProgram, **options: Any) -> Any:
        signature = program.graph_signature
        changed.update({name: node for node, name in signature.buffers_to_mutate.items()})
        specs = signature.output_specs
        mutations = [spec for spec in specs if spec.kind == OutputKind.BUFFER_MUTATION]
        rest = [spec for spec in specs if spec.kind != OutputKind.BUFFER_MUTATION]
        shown = [replace(spec, kind=OutputKind.USER_OUTPUT) for spec in mutations]
        signature.output_specs = [*rest, *shown]
        try:
            return translate(program, **options)
        finally:
            signature.output_specs = specs

    with mock.patch.object(_core, "_exported_program_to_onnx_program", with_new_values):
        yield changed


def output_names(changed: Changed, taken: set[str]) -> list[str]:
    """Return names for the outputs that are new values, in their order."""
    return [state.output_name(buffer, taken) for buffer in changed]


def declare(model: ir.Model, changed: Changed, names: list[str]) -> None:
    """Say of each changed buffer which output is its new value; in place."""
    known = {name: value.name or "" for value in model.graph.initializers.values()
             for name in (value.name or "", *_aliases(value))}  # fmt: skip
    state.declare_state(
        model, {known[buffer]: name for buffer, name in zip(changed, names, strict=True)}
    )


def _aliases(value: ir.Value) -> list[str]:
    import json

    return json.loads(value.metadata_props.get("equiport.aliases", "[]"))


@contextmanager
def assigned_in_place(module: torch.nn.Module) -> Iterator[None]:
    """Turn ``self.h = h`` into ``self.h.copy_(h)`` while a module is exported.

    `torch.export` does the same for buffers of the outermost module alone, and stops at one that
    takes the place of another; so its own way is left out.
    """
    before: dict[tuple[str, str], torch.Tensor] = {}

    def remember(*_: Any) -> None:
        before.clear()
        before.update(_buffers(module))

    def copy_back(_: Any, __: Any, result: Any) -> Any:
        after = _buffers(module)
        new = {key: after.get(key) for key, old in before.items() if after.get(key) is not old}
        if not new:
            return result
        values = {key: _stored(key, before[key], value) for key, value in new.items()}
        result = tree_map_only(torch.Tensor, torch.clone, result)  # it may hold an old tensor
        for (path, leaf), value in values.items():
            old = before[path, leaf]
            module.get_submodule(path)._buffers[leaf] = old
            old.copy_(value)
        return result

    handles = [
        module.register_forward_pre_hook(remember, prepend=True),
        module.register_forward_hook(copy_back),
    ]
    try:
        with mock.patch.object(_trace, "register_buffer_assignment_hook", _NoHook):
            yield
    finally:
        for handle in handles:
            handle.remove()


class _NoHook:
    def __init__(self, *_: Any) -> None:
        pass

    def remove(self) -> None:
        """Nothing to take away."""


def _buffers(module: torch.nn.Module) -> dict[tuple[str, str], torch.Tensor]:
    return {
        (path, leaf): buffer
        for path, child in module.named_modules()
        for leaf, buffer in child._buffers.items()
        if buffer is not None
    }


def _stored(key: tuple[str, str], old: torch.Tensor, new: torch.Tensor | None) -> torch.Tensor:
    """Return a copy of the tensor that takes a buffer's place.

    Raises:
        TraceError: a buffer of another shape or type, which no fixed buffer can hold.
    """
    name = ".".join(filter(None, key))
    if new is None:
        raise TraceError(
            f"forward takes the buffer {name!r} away: what the model keeps between calls must stay",
            hint=f"Set {name} to zeros in place of None.",
        )
    if new.shape != old.shape or new.dtype != old.dtype:
        raise TraceError(
            f"forward changes the buffer {name!r} from {_described(old)} to {_described(new)}: "
            "what the model keeps between calls must keep its shape and type",
            hint=f"Make {name} as large as it can become and keep the position beside it, or give "
            "it to forward and return it.",
        )
    return new.clone()


def _described(tensor: torch.Tensor) -> str:
    kind = str(tensor.dtype).removeprefix("torch.")
    return f"{kind}[{','.join(map(str, tensor.shape))}]"
