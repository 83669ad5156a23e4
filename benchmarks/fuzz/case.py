"""A case: a small program, its inputs, and where it goes. It prints as a script."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

TOKEN = re.compile(r"\b(?:in|v|m)\d+\b")
"""Inputs, results and layers have these names inside of a program: ``in0``, ``v3``, ``m3``."""


@dataclass(frozen=True)
class Input:
    """One input of the model.

    Attributes:
        token: its name inside of the program.
        name: its name for the user.
        dims: sizes, and words for open dimensions.
        low, high: the range of its values, both included.
        grid: floats are multiples of a half: ties, exact sums.
    """

    token: str
    name: str
    dtype: str
    dims: tuple[int | str, ...]
    low: float = -2
    high: float = 2
    grid: bool = False

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        return tuple(sizes[dim] if isinstance(dim, str) else dim for dim in self.dims)

    def values(self, sizes: Mapping[str, int], rng: np.random.Generator) -> np.ndarray:
        """Draw the input; bfloat16 comes as float32 with bfloat16's values."""
        shape = self.shape(sizes)
        if self.dtype == "bool":
            return rng.integers(0, 2, shape).astype(bool)
        if "int" in self.dtype:
            return rng.integers(int(self.low), int(self.high) + 1, shape).astype(self.dtype)
        drawn = rng.uniform(self.low, self.high, shape)
        if self.grid:
            drawn = np.round(drawn * 2) / 2
        if self.dtype == "bfloat16":
            import ml_dtypes

            return drawn.astype(ml_dtypes.bfloat16).astype(np.float32)
        return drawn.astype(self.dtype)


@dataclass(frozen=True)
class Step:
    """One line of the program: ``token = code``.

    Attributes:
        layer: what ``__init__`` makes for it under the token ``m`` with the same number, or ``""``.
        exact: the result has no rounding of its own.
    """

    token: str
    code: str
    layer: str = ""
    exact: bool = False

    @property
    def uses(self) -> tuple[str, ...]:
        """Inputs and results that the line reads."""
        found = TOKEN.findall(self.code)
        return tuple(dict.fromkeys(token for token in found if not token.startswith("m")))


@dataclass(frozen=True)
class Case:
    """A program and one conversion of it.

    Attributes:
        framework: ``"torch"`` or ``"tensorflow"``.
        form: how the program is wrapped: ``module``; ``function``, ``tf_module``, ``functional``,
            ``subclassed``.
        to: the target.
        outputs: tokens of what is returned.
        returned: ``"one"``, ``"tuple"``, ``"list"`` or ``"dict"``.
        keys: names of the outputs, where they have any.
        layers: names of layers and variables by their token; a token without one is its own name.
        sizes: sizes of the open dimensions: those of the first run, then others.
        lowest: the declared minimum of open dimensions, where it is not 1.
        written: the result is written to a file, and what is loaded from there is compared.
        number: where it comes from, e.g. ``"seed 1, case 17"``.
    """

    framework: str
    form: str
    to: str
    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]
    returned: str = "one"
    keys: tuple[str, ...] = ()
    layers: Mapping[str, str] = field(default_factory=dict)
    sizes: tuple[Mapping[str, int], ...] = ({},)
    lowest: Mapping[str, int] = field(default_factory=dict)
    written: bool = False
    number: str = ""

    def specs(self) -> list[str]:
        """Return the texts for ``inputs=``."""

        def text(dim: int | str) -> str:
            low = self.lowest.get(dim) if isinstance(dim, str) else None
            return str(dim) if low is None else f"{low}<={dim}"

        return [f"{i.name}:{i.dtype}[{','.join(map(text, i.dims))}]" for i in self.inputs]

    def only(self, outputs: Sequence[str]) -> Case:
        """Return the case with these outputs, without what they do not need."""
        needed = set(outputs)
        for step in reversed(self.steps):
            if step.token in needed:
                needed.update(step.uses)
        steps = tuple(step for step in self.steps if step.token in needed)
        inputs = tuple(i for i in self.inputs if i.token in needed) or self.inputs[:1]
        words = {dim for i in inputs for dim in i.dims if isinstance(dim, str)}
        sizes = tuple({w: s for w, s in one.items() if w in words} for one in self.sizes)
        return replace(
            self,
            inputs=inputs,
            steps=steps,
            outputs=tuple(outputs),
            keys=self.keys[: len(outputs)],
            returned="one"
            if len(outputs) == 1 and self.returned in ("tuple", "list")
            else self.returned,
            sizes=tuple(dict(items) for items in dict.fromkeys(tuple(o.items()) for o in sizes)),
            lowest={w: low for w, low in self.lowest.items() if w in words},
        )

    def operators(self) -> tuple[str, ...]:
        """Return what the program calls, for grouping."""
        found = []
        for step in self.steps:
            text = step.layer or step.code
            names = re.findall(r"(?:\b[a-zA-Z_]+\.|\.)([a-zA-Z_]\w*)\(", text)
            found.append(names[0] if names else re.sub(r"\b(?:in|v|m)?\d+(?:\.\d+)?\b", "_", text))
        return tuple(found)


def returned_text(case: Case) -> str:
    """Return the expression of the return line."""
    names = case.outputs
    if case.returned == "one":
        return names[0]
    if case.returned == "dict":
        return "{" + ", ".join(f"{k!r}: {n}" for k, n in zip(case.keys, names, strict=True)) + "}"
    inner = ", ".join(names)
    return f"[{inner}]" if case.returned == "list" else f"({inner},)"


def lines_of(case: Case, indent: str, noisy: bool) -> str:
    """Return the program's lines.

    Args:
        noisy: each inexact result goes through ``noise``, which the caller provides.
    """
    result = []
    for item in case.inputs:
        if item.token != item.name:
            result.append(f"{indent}{item.token} = {item.name}")
    for step in case.steps:
        code = TOKEN.sub(
            lambda m: f"self.{case.layers.get(m[0], m[0])}" if m[0][0] == "m" else m[0], step.code
        )
        result.append(f"{indent}{step.token} = {code}")
        if noisy and not step.exact:
            result.append(f"{indent}{step.token} = noise({step.token})")
    result.append(f"{indent}return {returned_text(case)}")
    return "\n".join(result)


def layer_lines(case: Case, indent: str) -> str:
    """Return the lines that make the layers."""
    return "\n".join(
        f"{indent}self.{case.layers.get(token, token)} = {step.layer}"
        for step in case.steps
        if step.layer
        for token in [step.token.replace("v", "m")]
    )
