"""A whole PyTorch module as a pickle: what `torch.save(model)` writes. Reading it runs its code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converter.errors import UnreadableModelError
from converter.formats import Source
from converter.formats.factory import needed
from converter.formats.pickles import holds_mapping, refusal, suspicious
from converter.formats.reading import framework, reading
from converter.formats.stand_ins import attacks, read
from converter.formats.state_dict import into_module, is_torch_save, pickled_names, weights_in
from converter.formats.user_code import import_from_here

NAME = "torch_pickle"
FRAMEWORK = "torch"


def recognise(path: Path) -> bool:
    """Tell whether `torch.save` wrote the file; `state_dict` is asked first."""
    return is_torch_save(path)


def load(path: Path, *, trust: bool, factory: str | None) -> Source:
    """Unpickle the module, in evaluation mode; a checkpoint's weights go into the factory's module.

    Raises:
        UntrustedModelError: it is more than a checkpoint, and ``trust`` is not given; says what the
            pickle would import.
        UsageError: it holds weights, and there is no factory, or they do not fit.
        UnreadableModelError: the file is damaged, its classes are not there, or it holds neither.
    """
    if not trust:
        weights = weights_alone(path)
        if factory is None:
            raise needed(path, "weights (a PyTorch checkpoint)")
        return into_module(path, NAME, weights, factory)
    torch = framework("torch", "a pickled PyTorch module")
    import_from_here()
    hint = "The classes of the model must be importable: run in the folder that has them."
    with reading(path, "a pickled PyTorch module", hint):
        model = torch.load(path, map_location="cpu", weights_only=False)
    if isinstance(model, torch.nn.Module):
        return Source(FRAMEWORK, NAME, model.eval(), path)
    if isinstance(model, dict):
        nested = model.get("model")
        if isinstance(nested, torch.nn.Module):
            return Source(FRAMEWORK, NAME, nested.eval(), path)
        weights = weights_in(path, model)
        if factory is None:
            raise needed(path, "weights (a PyTorch checkpoint)")
        return into_module(path, NAME, weights, factory)
    raise UnreadableModelError(
        f"{path} holds a {type(model).__name__}, not an nn.Module",
        hint="Save the module itself, its state_dict, or an exported program.",
    )


def weights_alone(path: Path) -> Mapping[str, Any]:
    """Return the weights of a checkpoint, whose other objects are not made; no code of it runs.

    Raises:
        UntrustedModelError: it is no checkpoint with weights by name, or it would run code that
            has no business in one.
    """
    names = pickled_names(path)
    untrusted = refusal(path, "a pickled PyTorch object", suspicious(names))
    if attacks(names) or not holds_mapping(path):
        raise untrusted
    framework("torch", "a PyTorch checkpoint")
    with reading(path, "a PyTorch checkpoint"):
        content = read(path)
    if not isinstance(content, Mapping):
        raise untrusted
    try:
        return weights_in(path, content)
    except UnreadableModelError:  # a module under a key, which only its classes can bring back
        raise untrusted from None
