"""The body of a branch or of a loop, inside of the function around it.

It sees what is at hand around it, and overwrites nothing of that: its variables have other names.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir

from converter.graph.structure.tree import Block
from converter.source import expressions
from converter.source.body import Body
from converter.source.expressions import Text


class Inner(Body):
    """Writes the statements of a body; `lines` has them.

    Attributes:
        outer: the writer of the function, or body, around it.
    """

    def __init__(self, outer: Body, block: Block, arguments: dict[ir.Value, str]) -> None:
        """Begin.

        Args:
            arguments: what the body's inputs are called; those left out are numbers, or unread.
        """
        super().__init__(block, None, outer.members, outer.sizes, outer.language, outer.hoisted)
        self.outer = outer
        self.taken |= outer.taken | outer.live.keys()
        self.named_dims |= outer.named_dims
        for value, name in arguments.items():
            self.known[value], self.live[name] = expressions.name(name), value

    def at_hand(self) -> Iterator[tuple[ir.Value, Text]]:
        """Yield the tensors that have a variable, the body's own first."""
        yield from super().at_hand()
        yield from self.outer.at_hand()

    def seen(self, value: ir.Value) -> Text | None:
        """Return the expression of a value, its own or one from around it."""
        return super().seen(value) or self.outer.seen(value)

    def statements(self) -> None:
        """Write what the body does, without what becomes of its results."""
        self._steps()


def indented(lines: list[str]) -> list[str]:
    """Return statements one level deeper; none are ``pass``."""
    return [f"    {line}" for line in lines or ["pass"]]


def rebound(pairs: list[tuple[str, Text]]) -> list[str]:
    """Return statements that give variables new values, all of them made of the old ones."""
    pairs = [(name, text) for name, text in pairs if text.text != name]
    for order in (pairs, pairs[::-1]):
        done: set[str] = set()
        for name, text in order:
            if text.names & done:
                break
            done.add(name)
        else:
            return [f"{name} = {text}" for name, text in order]
    names, texts = (", ".join(map(str, column)) for column in zip(*pairs, strict=True))
    return [f"{names} = {texts}"]
