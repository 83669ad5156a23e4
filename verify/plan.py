"""What a comparison runs on: the reference signature and the cases."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from converter.errors import EquiportError
from converter.signature import DimRange, Signature
from verify import data as own
from verify import inputs as making
from verify import matching
from verify.examples import examples_of, likely
from verify.sides import Failure

if TYPE_CHECKING:
    from verify.job import Job


def plan(
    job: Job, declared: Signature | None, own_data: own.OwnData | None, views: list[matching.View]
) -> tuple[Signature, list[making.Case]]:
    """Return the reference signature and the runs.

    Raises:
        UsageError: nobody says what the inputs look like, or the user's data cannot be read.
        InputSpecError: the data or the declared inputs do not fit the models.
    """
    if own_data is not None:
        signature, given = _with_data(job, declared, own_data, views)
        if not own_data.examples:
            return signature, given
        job.examples = examples_of(job, signature, given, _nobody_says(declared, views))
        signature = job.examples.signature
    else:
        if _nobody_says(declared, views):
            declared = _traced_signature(job, views)
        signature = matching.reference(declared, *views)
    if making.unbounded(signature):
        signature = likely(job, _read_off(job, signature))
    return signature, _cases(job, signature)


def narrowed(
    job: Job, signature: Signature, cases: list[making.Case]
) -> tuple[Signature, list[making.Case]] | None:
    """Return a plan with inputs of which the source's graph takes all, where there is such a one.

    For a source that gave NaN, and of which nobody had read off the graph which values it takes.
    """
    if all(case.data is not None for case in cases):
        return None
    bounded = _read_off(job, signature)
    if bounded == signature:
        return None
    job.findings.append("random inputs made NaN in a: they were kept to what its graph takes")
    return bounded, _cases(job, bounded)


EVEN = (32, 64)
"""Sizes that halve five times: what goes down some levels and up again takes no others."""


def evened(
    job: Job, signature: Signature, cases: list[making.Case]
) -> tuple[Signature, list[making.Case]] | None:
    """Return a plan with sizes that are multiples of 32, where no input was the user's own.

    For sources that refused all sizes; the first dimension of an input, the batch, stays as it is.
    """
    if any(case.data is not None for case in cases):
        return None
    first = {spec.shape[0] for spec in signature.inputs if spec.shape}
    sizes = {}
    for name in signature.dynamic_dims():
        allowed = signature.dims.get(name, DimRange())
        even = [size for size in EVEN if allowed.minimum <= size <= (allowed.maximum or size)]
        if name not in first and name not in job.options.sizes and even:
            sizes[name] = even
    if not sizes:
        return None
    wanted = {**sizes, **job.options.sizes}
    words = ", ".join(sizes)
    job.findings.append(
        f"both refused all other sizes, so {words} were multiples of 32; an input that is declared "
        "with what the model takes, such as x[n,8*h,8*w,3], is tried at more sizes"
    )
    return signature, making.cases(signature, job.options.seeds, wanted, job.options.seed)


def _nobody_says(declared: Signature | None, views: list[matching.View]) -> bool:
    told = [declared, *(view.signature for view in views)]
    return not any(signature is not None and signature.inputs for signature in told)


def _traced_signature(job: Job, views: list[matching.View]) -> Signature | None:
    """Return what a trace says of the inputs of a model that can be traced without being told.

    `converter.convert` takes such a model without inputs (a `tf.function` with its own
    ``input_signature``), so this does; ``None`` where neither side is one.
    """
    from converter.graph.names import rename_inputs
    from converter.graph.signatures import signature_of

    for side, view in zip((job.a, job.b), views, strict=True):
        with suppress(EquiportError, Failure):  # the caller says that nobody describes the inputs
            graph = job.graphs[side.label] = side.graph(None)
            traced = [spec.name for spec in signature_of(graph).inputs]
            if len(traced) == len(view.input_names):
                rename_inputs(graph, dict(zip(traced, view.input_names, strict=True)))
            return signature_of(graph)
    return None


def _cases(job: Job, signature: Signature) -> list[making.Case]:
    options, examples = job.options, job.examples
    if examples is None:
        return making.cases(signature, options.seeds, options.sizes, options.seed)
    sizes = {**examples.sizes, **options.sizes}
    made = making.cases(signature, options.seeds, sizes, options.seed)
    return [*examples.cases, *map(examples.beside, made)]


def _read_off(job: Job, signature: Signature) -> Signature:
    """Ask the source's graph what it does with its inputs."""
    job.signature = signature
    graph = job.graph("a")
    if graph is None:
        return signature
    from converter.graph.bounds import with_bounds

    return with_bounds(signature, graph)


def _with_data(
    job: Job, declared: Signature | None, own_data: own.OwnData, views: list[matching.View]
) -> tuple[Signature, list[making.Case]]:
    names = [spec.name for spec in declared.inputs] if declared else []
    for view in views:
        said = [spec.name for spec in view.signature.inputs] if view.signature else []
        names = names or said or view.input_names
    labelled = own_data.cases(names, job.findings)
    known = (declared and declared.inputs) or any(
        view.signature and view.signature.inputs for view in views
    )
    if known:
        signature = matching.reference(declared, *views)
        for _, arrays in labelled:
            matching.check_data(arrays, signature)
    else:
        made = own.signature_of([arrays for _, arrays in labelled])
        signature = Signature(made.inputs, declared.outputs if declared else ())
    return signature, [
        making.Case(label, {}, None, {spec.name: arrays[spec.name] for spec in signature.inputs})
        for label, arrays in labelled
    ]
