"""Whether the source gives numbers at all: where it gives NaN, nothing is compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

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
