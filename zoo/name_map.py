"""Load the PyTorch twin's weights into the Keras twin, by the declared name map."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from converter.errors import EquiportError
from zoo.entry import Entry, Rule

if TYPE_CHECKING:
    import keras
    import numpy as np
    import torch

NOT_IN_KERAS = ".num_batches_tracked"
"""PyTorch counts the batches that BatchNorm saw; Keras has no such weight."""


class NameMapError(EquiportError):
    """The declared name map does not fit the two twins."""

    exit_code = 3


def transfer(torch_model: torch.nn.Module, keras_model: keras.Model, entry: Entry) -> None:
    """Set every weight of the Keras twin from the PyTorch twin's, in place.

    Raises:
        NameMapError: a Keras weight is not set exactly once, a PyTorch weight is not used exactly
            once, or an array does not fit. The Keras twin is then unchanged.
    """
    saved = {
        name: tensor.detach().cpu().numpy()
        for name, tensor in torch_model.state_dict().items()
        if not name.endswith(NOT_IN_KERAS)
    }
    targets = {weight.path: weight for weight in keras_model.weights}
    shapes = {path: tuple(weight.shape) for path, weight in targets.items()}
    for path, array in mapped(entry.name_map, saved, shapes).items():
        targets[path].assign(array)


def mapped(
    rules: Sequence[Rule], saved: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Return the Keras weights by path.

    Args:
        rules: the name map.
        saved: PyTorch's weights by name.
        shapes: shapes of the Keras weights by path.

    Raises:
        NameMapError: as `transfer`.
    """
    once("Keras weight", "set", [rule.keras for rule in rules], shapes)
    once("PyTorch weight", "used", [name for rule in rules for name in rule.torch], saved)
    result = {}
    for rule in rules:
        array = rule.transform(*(saved[name] for name in rule.torch))
        if array.shape != shapes[rule.keras]:
            raise NameMapError(
                f"{' and '.join(rule.torch)} give {array.shape} for the Keras weight "
                f"{rule.keras}, which has the shape {shapes[rule.keras]}",
                hint="Check the rule's transform, and that both twins are of the same size.",
            )
        result[rule.keras] = array
    return result


def once(what: str, verb: str, listed: Sequence[str], present: Mapping[str, object]) -> None:
    """Refuse a name map that leaves a weight out, names it twice, or names one that is absent."""
    counts = Counter(listed)
    problems = {
        f"is not {verb}": [name for name in present if name not in counts],
        f"is {verb} more than once": [name for name, times in counts.items() if times > 1],
        "does not exist": [name for name in counts if name not in present],
    }
    for problem, names in problems.items():
        if names:
            more = f" (and {len(names) - 1} more like it)" if len(names) > 1 else ""
            raise NameMapError(
                f"the {what} {names[0]} {problem} by the name map{more}",
                hint="Set every Keras weight exactly once, use every PyTorch weight exactly once.",
            )
