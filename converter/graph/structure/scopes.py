"""Where a node was made: the calls of modules around it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import onnx_ir as ir

CLASSES = "equiport.module_classes"
"""Property of a model: the class of each module path, as JSON."""

MODULE_PATH = "equiport.module_path"
"""Property of a node: the path of the module call that made it."""

_AGAIN = re.compile(r"@(\d+)$")
"""What `torch.export` puts behind the path of a module that is called once more."""

_LEAVES = frozenset(
    {
        "activation", "batchnorm", "channelshuffle", "conv", "distance", "dropout", "flatten",
        "fold", "instancenorm", "linear", "normalization", "padding", "pixelshuffle", "pooling",
        "sparse", "upsampling",
    }
)  # fmt: skip
"""Files of `torch.nn.modules` whose classes are layers, not compositions of layers."""


@dataclass(frozen=True)
class Scope:
    """One call of one module.

    Attributes:
        path: of the module, in the source's words.
        call: 0 for its first call.
        class_name: of the module, ``""`` if it is not known.
    """

    path: str
    call: int
    class_name: str


class Scopes:
    """The calls around each node of a model."""

    def __init__(self, model: ir.Model) -> None:
        self.classes: dict[str, str] = json.loads(model.graph.metadata_props.get(CLASSES, "{}"))

    def of(self, node: ir.Node) -> tuple[Scope, ...]:
        """Return the calls around a node, outermost first; layers of the framework are none."""
        path = call_of(node)
        found = []
        for prefix in prefixes(path):
            class_name = self.classes.get(prefix)
            if class_name is not None and not is_leaf(class_name):
                again = _AGAIN.search(prefix)
                call = int(again[1]) if again else 0
                found.append(Scope(plain(prefix), call, class_name.rpartition(".")[2]))
        return tuple(found)

    def is_recurrent(self, scope: Scope) -> bool:
        """Tell whether a call is of PyTorch's own LSTM, GRU or RNN."""
        return self.classes.get(scope.path, "").startswith("torch.nn.modules.rnn.")


def call_of(node: ir.Node) -> str:
    """Return the path of the innermost module call that made a node; empty if nobody said it."""
    return node.metadata_props.get(MODULE_PATH, "")


def prefixes(path: str) -> list[str]:
    """Return ``a``, ``a.b``, ``a.b.c`` of ``a.b.c``."""
    parts = path.split(".") if path else []
    return [".".join(parts[: index + 1]) for index in range(len(parts))]


def plain(path: str) -> str:
    """Return a module path without the number of the call."""
    return re.sub(r"@\d+", "", path)


def is_leaf(class_name: str) -> bool:
    """Tell whether a class is a layer of PyTorch, or a container: no composition with a name."""
    if not class_name.startswith("torch.nn.modules."):
        return False
    file, _, name = class_name.removeprefix("torch.nn.modules.").partition(".")
    return file in {*_LEAVES, "container"} and name != "MultiheadAttention"
