"""What example inputs tell of other inputs, and what is likely where nothing is certain.

Examples are one case. Beside them random inputs of their kind are tried: a fault that shows at
other numbers, or at other sizes of the batch, passes on one example.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from converter.signature import Signature, TensorSpec
from verify.inputs import Case, unbounded

if TYPE_CHECKING:
    from verify.job import Job

BATCH = "batch"
"""Word for the first axis, where it is taken to be open."""

SIZES = (2, 3, 1)
"""Sizes of it that are tried beside the example's own."""


@dataclass
class Examples:
    """The user's examples, and how others are made beside them.

    Attributes:
        signature: what others are made for.
        cases: the examples themselves.
        batch: size of the first axis in the examples, where others are tried; ``None``: none are.
        sizes: sizes to try by dynamic dimension.
    """

    signature: Signature
    cases: list[Case]
    batch: int | None = None
    sizes: dict[str, list[int]] = field(default_factory=dict)

    def beside(self, case: Case) -> Case:
        """Return a made case as one that nobody asked for: what a refuses there is left out.

        So is what either side refuses at another size of an axis that nobody declared open.
        """
        other = self.batch is not None and case.sizes.get(BATCH) != self.batch
        return replace(case, optional="ab" if other or case.optional == "ab" else "a")


def examples_of(job: Job, signature: Signature, cases: list[Case], unsaid: bool) -> Examples:
    """Return what to make of examples.

    Args:
        signature: what the models say, or else what the examples look like.
        unsaid: it is the latter; then the first axis is taken to be open if all inputs have the
            same size there, and if the source can be traced so.
    """
    signature = _within(signature, cases)
    size = _common_first(signature) if unsaid else None
    if size is None:
        return Examples(signature, cases)
    specs = tuple(
        replace(spec, shape=(BATCH, *spec.shape[1:])) if spec.shape else spec
        for spec in signature.inputs
    )
    open_ = replace(signature, inputs=specs)
    if job.options.tolerance.measured and not _traceable(job, open_):
        job.findings.append(
            "only the examples' sizes were tried: a cannot be traced with another first axis. "
            'Where it can, say so: inputs="name:dtype[batch,...]"'
        )
        return Examples(signature, cases)
    job.findings.append(
        f"the first axis was taken to be a batch, and other sizes than {size} were tried; data= "
        "runs on the examples alone"
    )
    sizes = list(dict.fromkeys((size, *SIZES)))
    return Examples(open_, cases, size, {BATCH: sizes})


def _common_first(signature: Signature) -> int | None:
    """Return the size that every input has along its first axis; ``None``: there is none."""
    firsts = {spec.shape[0] for spec in signature.inputs if spec.shape}
    (size,) = firsts if len(firsts) == 1 else (None,)
    open_already = signature.dynamic_dims()
    return size if isinstance(size, int) and size > 0 and not open_already else None


def _traceable(job: Job, signature: Signature) -> bool:
    """Tell whether the source has a graph for a signature; keeps it, or forgets that it has not."""
    job.signature = signature
    if job.graph("a") is not None:
        return True
    del job.graphs["a"], job.untraced["a"]
    return False


def _within(signature: Signature, cases: list[Case]) -> Signature:
    """Keep integers of which nothing is known to what the examples hold, where that is a range."""

    def bounded(spec: TensorSpec) -> TensorSpec:
        if spec.name not in unknown:
            return spec
        arrays = [case.data[spec.name] for case in cases if case.data is not None]
        numbers = np.concatenate([array.reshape(-1) for array in arrays])
        if not numbers.size or numbers.min() == numbers.max():
            return spec
        return replace(spec, bounds=(int(numbers.min()), int(numbers.max())))

    unknown = set(unbounded(signature))
    return replace(signature, inputs=tuple(map(bounded, signature.inputs)))


def likely(job: Job, signature: Signature) -> Signature:
    """Give integer inputs of which nothing is certain the values that are likely, and say so.

    See `converter.graph.suggestions`; where a has no graph, or an index is computed from the input
    in a way that is not followed, 0 and 1 are left.
    """
    if not (unknown := unbounded(signature)):
        return signature
    from converter.graph.suggestions import suggested_bounds

    graph = job.graph("a")
    names = [] if graph is None else [value.name or "" for value in graph.graph.inputs]
    found = {} if graph is None else suggested_bounds(graph)
    if not set(unknown) <= set(names) and len(names) == len(signature.inputs):
        shown = dict(zip(names, (spec.name for spec in signature.inputs), strict=True))
        found = {shown[name]: item for name, item in found.items()}
    specs = []
    for spec in signature.inputs:
        item = found.get(spec.name) if spec.name in unknown else None
        if item is not None:
            spec = replace(spec, bounds=(item.low, item.high))
            job.findings.append(
                f"nothing is certain of the integers that {spec.name!r} may hold: "
                f"{item.low} to {item.high} were used, {item.why}"
            )
        elif spec.name in unknown:
            job.findings.append(
                f"nothing tells which integers {spec.name!r} may hold: 0 and 1 were used"
            )
        specs.append(spec)
    return replace(signature, inputs=tuple(specs))
