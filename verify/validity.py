"""Whether the source decides anything: where it gives NaN or noise, nothing is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from verify.judgement import NOISE_ALONE
from verify.report.result import OutputComparison, Run, Stage, Uncompared
from verify.tolerance import CEILING

NEAR_CEILING = 0.25
"""Part of the ceiling that the source's largest error may be: a right target's can be several times
as large."""

MUCH = 0.5
"""Part of an output that may be NaN before the report says so."""


class NumbersSeen:
    """What part of each of the source's outputs is NaN, run by run."""

    def __init__(self) -> None:
        self.parts: dict[str, list[float]] = {}

    def see(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Take in the source's outputs of one run, by name."""
        for name, array in outputs.items():
            if array.dtype.kind not in "fcV" or not array.size:
                continue
            wide = array if array.dtype.kind in "fc" else array.astype(np.float32)
            part = float(np.count_nonzero(np.isnan(wide))) / array.size
            self.parts.setdefault(name, []).append(part)

    @property
    def nan(self) -> bool:
        """Whether there was a NaN anywhere."""
        return any(part for parts in self.parts.values() for part in parts)

    def findings(self) -> list[str]:
        """Say of which outputs little could be compared, one line each."""
        lines = []
        for name, parts in self.parts.items():
            bad = [part for part in parts if part > MUCH]
            if bad:
                lines.append(
                    f"{name} of a is NaN in up to {100 * max(bad):.0f} % of its elements, in "
                    f"{len(bad)} of {len(parts)} runs: nothing is compared there"
                )
        return lines


def nothing_but_noise(outputs: Mapping[str, OutputComparison]) -> tuple[Uncompared, str] | None:
    """Say that nothing was decided: the source's noise is as large as the ceiling, or it overflows.

    A network with random weights may be chaotic at inputs of a scale that nobody asked for; then
    no target, right or wrong, gives what the source gives.

    Returns:
        Which of the two, and a sentence; ``None`` where each output that failed, or passed as a tie
        although it is far off, is precise enough to be judged.
    """
    far = [item for item in outputs.values() if item.dtype in CEILING and _is_far(item)]
    failed = [item for item in far if not item.overflow]
    if far and not failed:
        item = max(far, key=lambda item: item.overflow)
        return Uncompared.OVERFLOW, (
            f"it overflows its own type: {item.overflow} of {item.count} elements of {item.name} "
            "are NaN or infinite in a, or in a run of it that rounds a little more, and finite in "
            "float64"
        )
    worst = max(failed, key=lambda item: item.noise or 0.0, default=None)
    if worst is None or worst.noise is None:
        return None
    if any((item.noise or 0.0) < NEAR_CEILING * CEILING[item.dtype] for item in failed):
        return None
    return Uncompared.NOISE, (
        f"its own rounding noise is up to {worst.noise:.2g} of the largest value of {worst.name}"
    )


def _is_far(item: OutputComparison) -> bool:
    ceiling = CEILING[item.dtype]
    far = item.max_rel > ceiling and item.max_abs > NOISE_ALONE * ceiling
    return not item.passed or far


def counted(run: Run) -> Run:
    """Return a run that passed as what it is: a comparison only if a finite element was compared.

    A run on which both sides give NaN alone, or no elements, agrees on nothing.
    """
    if run.stage is not Stage.OK or any(item.compared for item in run.outputs.values()):
        return run
    elements = any(item.count for item in run.outputs.values())
    if elements and any(item.random for item in run.outputs.values()):
        return replace(run, stage=Stage.NOTHING, uncompared=Uncompared.RANDOM)
    why = Uncompared.NOT_FINITE if elements else Uncompared.EMPTY
    return replace(run, stage=Stage.NOTHING, uncompared=why)


def never_compared(runs: Sequence[Run]) -> list[str]:
    """Say which outputs no run compared a finite element of, where others were compared."""
    if not any(run.stage is Stage.OK for run in runs):
        return []
    seen: dict[str, int] = {}
    for run in runs:
        for name, item in run.outputs.items():
            seen[name] = seen.get(name, 0) + item.compared + item.random + (not item.passed)
    return [
        f"{name}: no run gave a finite element of it, so nothing is known of it but its shape"
        for name, count in seen.items()
        if not count
    ]
