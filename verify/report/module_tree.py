"""The source's modules as a tree, each with the worst that became of its nodes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from verify.report.location import NodeComparison, NodeStatus

SEVERITY = (NodeStatus.UNSEEN, NodeStatus.OK, NodeStatus.PROPAGATED, NodeStatus.ORIGIN)
"""From nothing to worry about to where the error begins."""


@dataclass
class Module:
    """A module or layer of the source.

    Attributes:
        name: its own name, the last part of its path.
        path: its whole path, ``""`` for the model.
        nodes: nodes that it made itself.
        children: its modules, in order of computation.
    """

    name: str
    path: str
    nodes: list[NodeComparison] = field(default_factory=list)
    children: dict[str, Module] = field(default_factory=dict)

    @property
    def everything(self) -> list[NodeComparison]:
        """Its nodes and those of all modules in it."""
        inner = [node for child in self.children.values() for node in child.everything]
        return self.nodes + inner

    @property
    def status(self) -> NodeStatus:
        """The worst status in it."""
        return max((node.status for node in self.everything), key=SEVERITY.index,
                   default=NodeStatus.UNSEEN)  # fmt: skip

    @property
    def error(self) -> float:
        """The largest error in it that was seen; NaN where none was."""
        seen = [node.error for node in self.everything if not math.isnan(node.error)]
        return max(seen, default=math.nan)

    @property
    def operators(self) -> str:
        """Its own nodes' operators, in order, each once."""
        return ", ".join(dict.fromkeys(node.op for node in self.nodes))

    @property
    def source_lines(self) -> str:
        """Lines at which errors begin in it, else nothing."""
        lines = [n.source_line for n in self.nodes if n.status is NodeStatus.ORIGIN]
        return ", ".join(dict.fromkeys(filter(None, lines)))


def tree(nodes: Iterable[NodeComparison]) -> Module:
    """Return the model; nodes of no known module are its own."""
    root = Module("", "")
    for node in nodes:
        module = root
        for part in filter(None, node.module_path.replace("/", ".").split(".")):
            path = f"{module.path}.{part}" if module.path else part
            module = module.children.setdefault(part, Module(part, path))
        module.nodes.append(node)
    return root
