"""Names for the leaves of what a model returns: keys where it has keys, else numbers.

The same rules as in tracing, so that an output has the same name on both sides of a conversion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Leaves = list[tuple[str, Any]]


def torch_leaves(result: Any) -> tuple[Leaves, bool]:
    """Return name and value of each tensor in a PyTorch model's result.

    Returns:
        The leaves in order, without those that are ``None``, and whether all names are the model's
        own (keys or field names) rather than numbers.
    """
    found = list(_torch_paths(result, ""))
    single = len(found) == 1
    leaves = [
        (name or ("output" if single else f"output_{index}"), value)
        for index, (name, _, value) in enumerate(found)
        if value is not None
    ]
    return leaves, bool(found) and all(own for _, own, _ in found)


def _torch_paths(tree: Any, prefix: str, own: bool = False) -> Iterator[tuple[str, bool, Any]]:
    if isinstance(tree, Mapping):
        for key, item in tree.items():
            yield from _torch_paths(item, f"{prefix}_{key}" if prefix else str(key), True)
    elif isinstance(tree, list | tuple):
        fields = getattr(tree, "_fields", None)
        single = len(tree) == 1 and not fields
        for index, item in enumerate(tree):
            key = fields[index] if fields else "" if single else str(index)
            base = prefix or ("" if fields or single else "output")
            name = "_".join(part for part in (base, key) if part)
            yield from _torch_paths(item, name, own or bool(fields))
    else:
        yield prefix, own, tree


def tensorflow_leaves(result: Any) -> tuple[Leaves, bool]:
    """Return name and value of each tensor that TensorFlow returns; see `torch_leaves`."""
    found = list(_tensorflow_paths(result, ()))
    single = len(found) == 1
    leaves, own = [], True
    for index, (path, value) in enumerate(found):
        keys = [str(key) for key in path if not isinstance(key, int)]
        digits = [str(key) for key in path if isinstance(key, int)]
        own = own and bool(keys)
        name = "_".join(keys + digits) if keys else "output" if single else f"output_{index}"
        leaves.append((name, value))
    return leaves, bool(leaves) and own


def _tensorflow_paths(tree: Any, path: tuple) -> Iterator[tuple[tuple, Any]]:
    if isinstance(tree, Mapping):
        for key in sorted(tree):  # the order of tf.nest
            yield from _tensorflow_paths(tree[key], (*path, key))
    elif isinstance(tree, list | tuple):
        for index, item in enumerate(tree):
            yield from _tensorflow_paths(item, (*path, index))
    elif tree is not None:
        yield path, tree
