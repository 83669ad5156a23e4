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
from converter.formats.reading import framework, reading

NAME = "state_dict"
FRAMEWORK = "torch"

HOLDERS = ("state_dict", "model_state_dict", "model", "module", "net", "weights")
"""Where training scripts keep the weights in a checkpoint with other things beside them."""


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
    torch = framework("torch", "a PyTorch state_dict")
    with reading(path, "a PyTorch state_dict"):
        mapped = head(path, 4) == ZIP
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped or None)
    return into_module(path, NAME, weights_in(path, content), factory)


def weights_in(path: Path, content: Any) -> Mapping[str, Any]:
    """Return the tensors by name; looks into a checkpoint that has other things beside them.

    Raises:
        UnreadableModelError: there are none.
    """
    if _tensors(content):
        return dict(content)
    if isinstance(content, Mapping):
        for key in HOLDERS:
            if _tensors(content.get(key)):
                return dict(content[key])
        found = f"a dictionary with the keys {listed(map(str, content))}"
    else:
        found = f"a {type(content).__name__}"
    raise UnreadableModelError(
        f"{path} holds no weights by name but {found}",
        hint="Save model.state_dict(), alone or under the key 'state_dict'.",
    )


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
    prefix = "module."  # what nn.DataParallel puts before every name
    if all(name.startswith(prefix) for name in weights) and not any(
        name.startswith(prefix) for name in own
    ):
        weights = {name.removeprefix(prefix): tensor for name, tensor in weights.items()}
    problems = misfits(own, weights)
    if problems:
        raise UsageError(
            f"the weights in {path} do not fit the model that {factory} builds: "
            + "; ".join(problems),
            hint="Build the model with the settings that it was trained with.",
        )
    with reading(path, "weights"):
        model.load_state_dict(weights)
    return Source(FRAMEWORK, kind, model.eval(), path)


def misfits(own: Mapping[str, Any], weights: Mapping[str, Any]) -> list[str]:
    """Say which names are missing or unexpected, and which shapes differ."""
    problems = []
    if missing := [name for name in own if name not in weights]:
        problems.append(f"missing {listed(missing)}")
    if unexpected := [name for name in weights if name not in own]:
        problems.append(f"unexpected {listed(unexpected)}")
    shapes = [
        f"{name} has {list(tensor.shape)}, the model {list(own[name].shape)}"
        for name, tensor in weights.items()
        if hasattr(own.get(name), "shape") and tuple(own[name].shape) != tuple(tensor.shape)
    ]
    if shapes:
        problems.append(f"of another shape: {listed(shapes, 4)}")
    return problems
