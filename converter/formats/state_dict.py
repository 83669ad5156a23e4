"""Weights of a PyTorch module without the module: what `torch.save(model.state_dict())` writes."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converter.errors import UnreadableModelError, UsageError
from converter.formats import Source
from converter.formats.content import ZIP, head, inner
from converter.formats.factory import build, listed, needed
from converter.formats.pickles import LEGACY_MAGIC, globals_of, suspicious
from converter.formats.prefixes import Fit, fit
from converter.formats.reading import framework, reading

NAME = "state_dict"
FRAMEWORK = "torch"

HOLDERS = ("state_dict", "model_state_dict", "model", "module", "net", "weights")
"""Where training scripts keep the weights in a checkpoint with other things beside them."""

NOT_WEIGHTS = ("optim", "sched", "scaler", "rng", "callback", "loop")
"""Parts of keys under which a checkpoint has tensors that are no weights."""


def is_torch_save(path: Path) -> bool:
    """Tell a file of `torch.save`: a zip archive around one pickle, or the old layout."""
    start = head(path, 64)
    if start.startswith(ZIP):
        names = inner(path)
        return "data.pkl" in names and "constants.pkl" not in names
    return start.startswith(b"\x80") and LEGACY_MAGIC in start


def pickled_names(path: Path) -> tuple[str, ...]:
    """Return what the pickle would import.

    Raises:
        UnreadableModelError: the pickle is cut off.
    """
    try:
        return globals_of(path)
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        raise UnreadableModelError(
            f"{path} is a truncated or damaged PyTorch file: {error}",
            hint="Copy or download it again.",
        ) from error


def recognise(path: Path) -> bool:
    """Tell whether a file of `torch.save` holds tensors and plain values alone."""
    return is_torch_save(path) and not suspicious(pickled_names(path))


def load(path: Path, *, trust: bool, factory: str | None) -> Source:
    """Build the module with the factory and put the weights into it; in evaluation mode.

    Raises:
        UsageError: no factory, or the weights do not fit what it builds.
        UnreadableModelError: the file is damaged, or holds no weights.
    """
    if factory is None:
        raise needed(path, "weights (a PyTorch state_dict)")
    return into_module(path, NAME, read_weights(path), factory)


def read_weights(path: Path) -> Mapping[str, Any]:
    """Return the tensors by name; no code that the file names runs.

    Raises:
        UnreadableModelError: the file is damaged, or holds no weights.
    """
    torch = framework("torch", "a PyTorch state_dict")
    with reading(path, "a PyTorch state_dict"):
        mapped = head(path, 4) == ZIP
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped or None)
    return weights_in(path, content)


def weights_in(path: Path, content: Any) -> Mapping[str, Any]:
    """Return the tensors by name; looks into a checkpoint that has other things beside them.

    Raises:
        UnreadableModelError: there are none, or it is not clear which.
    """
    if _tensors(content):
        return dict(content)
    if isinstance(content, Mapping):
        for key in HOLDERS:
            if _tensors(content.get(key)):
                return dict(content[key])
        keys = [key for key, item in content.items() if _tensors(item) and _may_hold(str(key))]
        if len(keys) == 1:
            return dict(content[keys[0]])
        if keys:
            raise UnreadableModelError(
                f"{path} holds weights under several keys: {listed(map(str, keys))}",
                hint="Save those of one model under the key 'state_dict'.",
            )
        found = f"a dictionary with the keys {listed(map(str, content))}"
    else:
        found = f"a {type(content).__name__}"
    raise UnreadableModelError(
        f"{path} holds no weights by name but {found}",
        hint="Save model.state_dict(), alone or under the key 'state_dict'.",
    )


def _may_hold(key: str) -> bool:
    return not any(part in key.lower() for part in NOT_WEIGHTS)


def _tensors(content: Any) -> bool:
    import torch

    return (
        isinstance(content, Mapping)
        and any(isinstance(item, torch.Tensor) for item in content.values())
        and all(
            isinstance(key, str)
            and (isinstance(item, torch.Tensor) or key.endswith("_extra_state"))
            for key, item in content.items()
        )
    )


def into_module(path: Path, kind: str, weights: Mapping[str, Any], factory: str) -> Source:
    """Build the module and load the weights into it.

    Raises:
        UsageError: the factory fails, or the weights do not fit: lists what is missing,
            unexpected, or of another shape.
    """
    import torch

    with reading(path, "weights"):
        model = build(factory, torch.nn.Module, "an nn.Module")
    own = model.state_dict()
    # A file of ours holds constants, too, which a checkpoint does not.
    constants = {n: b for n, b in model.named_buffers() if n not in own and n in weights}
    own |= constants
    found = fit(own, weights)
    problems = misfits(own, weights, found)
    if problems:
        raise UsageError(
            f"the weights in {path} do not fit the model that {factory} builds: "
            + "; ".join(problems),
            hint="Build the model with the settings that it was trained with; --inspect lists the "
            "names and shapes in the file.",
        )
    fitting = {name: weights[found.names[name]] for name in own}
    with reading(path, "weights"):
        for name, buffer in constants.items():
            buffer.copy_(fitting.pop(name))
        model.load_state_dict(fitting)
    return Source(FRAMEWORK, kind, model.eval(), path, notes=told(path, found))


def told(path: Path, found: Fit) -> list[str]:
    """Say what was done to the names, and which weights of the file are not the model's."""
    if not (found.taken or found.added or found.compiled):
        return []
    left = f"; not of this model: {listed(found.beside)}" if found.beside else ""
    return [f"names of the weights in {path.name}: {found}{left}"]


def misfits(own: Mapping[str, Any], weights: Mapping[str, Any], found: Fit) -> list[str]:
    """Say which names are missing or unexpected, and which shapes differ."""
    problems = []
    if found.others:
        problems.append(f"several prefixes fit: {listed(map(repr, found.others))}")
    if found.missing:
        problems.append(f"missing {listed(found.missing)}")
    if found.unexpected:
        problems.append(f"unexpected {listed(found.unexpected)}")
    shapes = [
        f"{name} has {list(weights[given].shape)}, the model {list(own[name].shape)}"
        for name, given in found.names.items()
        if all(hasattr(item, "shape") for item in (own[name], weights[given]))
        and tuple(own[name].shape) != tuple(weights[given].shape)
    ]
    if shapes:
        problems.append(f"of another shape: {listed(shapes, 4)}")
    return problems
