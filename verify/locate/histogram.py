"""How the elements of one value differ, for the reports' histograms."""

from __future__ import annotations

from typing import Any

import torch

from verify.locate.closeness import SCRAMBLED, Layout, flat, laid_out
from verify.report.result import HISTOGRAM_EDGES


def histogram(reference: Any, value: Any, layout: Layout | None) -> tuple[int, ...]:
    """Count elements by their difference relative to the largest of the reference.

    Args:
        reference, value: what both graphs have; no lists.
        layout: how the two lie to each other; ``None``: alike, or they cannot be compared.

    Returns:
        A count per bin, as in `verify.report.result.OutputComparison.histogram`; empty where the
        two cannot be compared element by element.
    """
    if not isinstance(reference, torch.Tensor) or not isinstance(value, torch.Tensor):
        return ()
    if layout is None and reference.shape != value.shape:
        return ()
    scrambled = layout == SCRAMBLED
    a = flat(laid_out(reference, layout) if layout is not None and not scrambled else reference)
    b = flat(value)
    if a is None or b is None or a.numel() != b.numel() or not a.numel():
        return ()
    if scrambled:
        a, b = a.sort().values, b.sort().values
    size = a.abs()
    largest = float(torch.where(torch.isfinite(size), size, 0.0).max()) or 1.0
    same = (a == b) | (a.isnan() & b.isnan())
    error = torch.nan_to_num((a - b).abs() / largest, nan=torch.inf, posinf=torch.inf)
    edges = torch.tensor(HISTOGRAM_EDGES, dtype=torch.float64)
    counts = torch.bincount(torch.bucketize(error[~same], edges, right=True),
                            minlength=len(HISTOGRAM_EDGES) + 1)  # fmt: skip
    return (int(same.sum()), *map(int, counts))
