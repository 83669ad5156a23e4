"""Names of a graph's values."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir


def rename_inputs(model: ir.Model, names: Mapping[str, str]) -> None:
    """Give inputs other names, in place; a value that has such a name already gets another one.

    Args:
        names: present name to the new one.
    """
    if all(name == new for name, new in names.items()):
        return
    inputs = [value for value in model.graph.inputs if value.name in names]
    wanted = {names[value.name or ""] for value in inputs}
    taken = {value.name for node in model.graph.all_nodes() for value in node.outputs}
    taken |= set(model.graph.initializers) | {value.name for value in model.graph.inputs} | wanted
    for node in model.graph.all_nodes():
        for value in node.outputs:
            if value.name in wanted:
                value.name = _free(value.name or "", taken)
    for name in wanted & set(model.graph.initializers):
        value = model.graph.initializers[name]
        value.name = _free(name, taken)  # the table follows
    new = [names[value.name or ""] for value in inputs]
    for value in inputs:  # by way of free names: two inputs may change places
        value.name = _free(value.name or "", taken)
    for value, name in zip(inputs, new, strict=True):
        value.name = name


def _free(name: str, taken: set[str | None]) -> str:
    """Return a name like this one that nothing has, and take it."""
    number = next(n for n in range(1, len(taken) + 2) if f"{name}_{n}" not in taken)
    taken.add(f"{name}_{number}")
    return f"{name}_{number}"
