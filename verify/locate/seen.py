"""Find the values of a graph among values that somebody else computed, without a graph of theirs.

That is how a wrong trace is found: the source's own results, operator by operator, against the
traced graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx_ir as ir

from converter.rebuild.pytorch.dtypes import from_numpy
from verify.locate.closeness import SCRAMBLED, compare, fingerprint, flat
from verify.locate.origin import suspects
from verify.locate.pairs import ready
from verify.locate.recording import Recording

LIMIT = 1e-6
"""Relative: constants that a trace has folded are float32, the source's run is float64."""


def unseen_origins(
    recording: Recording, theirs: Mapping[str, np.ndarray], wrong: list[str]
) -> list[ir.Node]:
    """Return the nodes that read what others have computed as well and give what nobody has.

    Args:
        recording: the graph's values.
        theirs: the source's values, under any names.
        wrong: names of the graph's outputs that are not what the source returns.
    """
    bag: dict[int, list[tuple[float, float, Any]]] = {}
    for array in theirs.values():
        value = from_numpy(array)
        row = flat(value)
        if row is not None:
            bag.setdefault(row.numel(), []).append((*fingerprint(row), value))
    matched = set()
    for number in recording.owners:
        value = recording.table.values[number]
        row = flat(value)
        if row is not None and _has(bag.get(row.numel(), []), value, fingerprint(row), row.numel()):
            matched.add(number)
    matched |= {recording.numbers[value] for value in recording.wide.inputs}
    outputs = {value for value in recording.wide.outputs if value.name in wrong}
    return [
        node for node in suspects(recording, matched, outputs) if ready(recording, node, matched)
    ]


def _has(
    near: list[tuple[float, float, Any]], value: Any, print_: tuple[float, float], size: int
) -> bool:
    slack = LIMIT * 8 * max(size, 1) ** 0.5
    for total, norm, other in near:
        if abs(total - print_[0]) > slack * max(total, print_[0]):
            continue
        if abs(norm - print_[1]) > slack * max(norm, print_[1]):
            continue
        found = compare(value, other, LIMIT)
        if found is not None and found.layout != SCRAMBLED:
            return True
    return False
