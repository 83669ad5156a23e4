"""What the comparison of random outputs found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from verify.report.numbers import number


@dataclass(frozen=True)
class RandomOutput:
    """One output that depends on random numbers: many draws of each side on the same inputs.

    Attributes:
        name: name of the output, a's.
        source: the random operators that it depends on, or how else that is known.
        draws: calls of each side.
        elements: elements of the output in one call.
        mean_a, mean_b: mean over draws and elements.
        std_a, std_b: standard deviation over draws, in root mean square over the elements.
        p: how often exchanged draws are as far apart as the sides are; of the first test, and where
            that is below ``significance``'s root, of a second one on new draws.
        significance: how often a right target fails.
        finds_std: a standard deviation off by this part is found in 99 of 100 cases.
        finds_mean: a mean off by this part of a standard deviation, likewise.
        passed: the verdict.
        reason: why it failed; empty where it passed.
    """

    name: str
    source: str
    draws: int = 0
    elements: int = 0
    mean_a: float = 0.0
    mean_b: float = 0.0
    std_a: float = 0.0
    std_b: float = 0.0
    p: float = 1.0
    significance: float = 0.0
    finds_std: float = 0.0
    finds_mean: float = 0.0
    passed: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Randomness:
    """The comparison in distribution.

    Attributes:
        outputs: each random output.
        inputs: title of the run whose inputs were used.
        note: why nothing was compared, where that is so.
    """

    outputs: tuple[RandomOutput, ...] = ()
    inputs: str = ""
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether every random output was compared and agrees."""
        return bool(self.outputs) and all(item.passed for item in self.outputs)


def random_lines(part: Randomness) -> Iterator[str]:
    """Say what was compared in distribution, one line each."""
    if not part.outputs:
        yield f"random: not compared in distribution: {part.note}"
    for item in part.outputs:
        drawn = (
            f"{item.draws} draws of {item.elements} elements on {part.inputs}; mean "
            f"{number(item.mean_a)} and {number(item.mean_b)}, standard deviation "
            f"{number(item.std_a)} and {number(item.std_b)}; p {item.p:.2g}, significance "
            f"{item.significance:.0e}"
        )
        power = (
            f"; a deviation off by {item.finds_std:.0%} or a mean off by {item.finds_mean:.2g} "
            "deviations is found in 99 of 100 cases"
        ) if item.finds_std else ""  # fmt: skip
        yield f"random: {item.name} ({item.source}): {drawn}{power}"
