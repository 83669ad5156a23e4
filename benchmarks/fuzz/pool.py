"""The values that a growing program has so far, and how templates choose among them."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

FLOATS = ("float32", "float64", "float16", "bfloat16")
INTEGERS = ("int64", "int32", "int16", "int8", "uint8")


def listed(table: str) -> tuple[str, ...]:
    """Return the items of a table that is laid out as text: two spaces or a line end apart."""
    return tuple(item for line in table.splitlines() for item in line.strip().split("  ") if item)


class Unfit(Exception):
    """No value fits a template; the grower tries another one."""


@dataclass(frozen=True)
class Value:
    """A result, at two choices of the open sizes.

    Attributes:
        token: its name in the program.
        first, second: the tensors.
        dtype: NumPy's name.
        shape, other: the two shapes.
        dynamic: how code says the size of an axis, e.g. ``"{token}.shape[{axis}]"``.
    """

    token: str
    first: Any
    second: Any
    dtype: str
    shape: tuple[int, ...]
    other: tuple[int, ...]
    dynamic: str

    def __str__(self) -> str:
        return self.token

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def kind(self) -> str:
        if self.dtype == "bool":
            return "bool"
        return "float" if self.dtype in FLOATS else "int" if "int" in self.dtype else "other"

    def open(self, axis: int) -> bool:
        return self.shape[axis] != self.other[axis]

    @property
    def fixed(self) -> bool:
        return self.shape == self.other

    def size(self, axis: int) -> str:
        """Return the text of one size: a literal where it is fixed."""
        if self.open(axis):
            return self.dynamic.format(token=self.token, axis=axis % self.rank)
        return str(self.shape[axis])

    def smallest(self, axis: int) -> int:
        return min(self.shape[axis], self.other[axis])


class Pool:
    """Draws from the values of a program.

    Attributes:
        rng: every choice comes from it.
        values: by token, in order.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.values: dict[str, Value] = {}

    def pick(
        self,
        kind: str = "",
        low: int = 0,
        high: int = 9,
        where: Callable[[Value], bool] = lambda value: True,
    ) -> Value:
        """Return a value, later ones more likely.

        Args:
            kind: ``"float"``, ``"int"``, ``"bool"``, several with a bar, or any.
            low, high: its rank.
            where: what else must hold.
        """
        fit = [
            value
            for value in self.values.values()
            if (not kind or value.kind in kind.split("|"))
            and low <= value.rank <= high
            and where(value)
        ]
        if not fit:
            raise Unfit
        place = max(self.rng.randrange(len(fit)), self.rng.randrange(len(fit)))
        return fit[place]

    def like(self, value: Value) -> Value:
        """Return a value of the same shape and element type, maybe the same."""
        return self.pick(
            where=lambda v: (
                v.dtype == value.dtype and v.shape == value.shape and v.other == value.other
            )
        )

    def one(self, *choices: T) -> T:
        return self.rng.choice(choices)

    def among(self, choices: Sequence[T]) -> T:
        if not choices:
            raise Unfit
        return self.rng.choice(choices)

    def int(self, low: int, high: int) -> int:
        if high < low:
            raise Unfit
        return self.rng.randint(low, high)

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def axis(self, value: Value, where: Callable[[int], bool] = lambda axis: True) -> int:
        """Return an axis, counted from either end."""
        fit = [axis for axis in range(value.rank) if where(axis)]
        axis = self.among(fit)
        return axis if self.chance(0.5) else axis - value.rank

    def axes(self, value: Value, least: int = 1) -> list[int]:
        """Return some different axes."""
        count = self.int(least, value.rank)
        chosen = self.rng.sample(range(value.rank), count)
        return [axis if self.chance(0.7) else axis - value.rank for axis in chosen]

    def number(self) -> str:
        return repr(self.one(0.5, 2.0, -1.5, 0.1, 3, 2, -1, 1, 0, 0.25))
