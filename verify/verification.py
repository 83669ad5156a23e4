"""Run both sides on the same inputs and compare: `verify` and `assert_equivalent`."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import UsageError, defects_typed_in
from converter.signature import Signature
from converter.temporary import TemporaryFolder, sweep
from verify.arguments import (
    Options,
    Progress,
    given_inputs,
    merged,
)
from verify.budget import LATENCY, Budget, budget_seconds
from verify.early import Arrangement, Early, arrange
from verify.job import AnySide, Job
from verify.refusals import Kind, refuse
from verify.report.files import check_writable
from verify.report.result import Report
from verify.sides import LiveSide
from verify.tolerance import tolerance as tolerance_of
from verify.training.plan import check_loss
from verify.unordered import groups

if TYPE_CHECKING:
    import onnx_ir as ir


@defects_typed_in("the comparison")
def verify(
    a: Any,
    b: Any,
    *,
    inputs: Any = None,
    data: Any = None,
    signature: Signature | None = None,
    tolerance: str = "auto",
    rtol: float | None = None,
    atol: float | None = None,
    seeds: int = 3,
    seed: int = 0,
    sizes: Mapping[str, Sequence[int]] | None = None,
    runtime: str | Sequence[str] | None = None,
    device: str | Sequence[str] = "cpu",
    latency: bool = False,
    max_slowdown: float | None = None,
    trust: bool = False,
    factory: str | None = None,
    python_a: str | None = None,
    python_b: str | None = None,
    python_torch: str | None = None,
    python_tf: str | None = None,
    timeout: float = 600.0,
    threads: int | None = None,
    batch_sweep: bool = False,
    memory_limit: str | int | None = None,
    rename: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    unordered: Sequence[str] = (),
    frozen: bool | None = None,
    graph: ir.Model | None = None,
    noise: Mapping[str, float] | None = None,
    progress: Progress | None = None,
    weights: bool = True,
    grad: bool = False,
    steps: int = 5,
    loss: str = "mse",
    locate: bool = True,
    deep: bool = False,
    repro: str | Path | None = None,
    graphs: bool = False,
    early: Early | None = None,
    budget: str | float | None = None,
) -> Report:
    """Run two models on the same inputs and compare what comes out.

    A path runs in a worker process of its own, a live model in this one. What goes wrong while a
    model runs (an exception, a crash, a hang) is a row of the report.

    Args:
        a: the source: a path or a live model.
        b: the target, likewise.
        inputs: example arrays or tensors (in order, or by name): one case beside random inputs of
            their kind, also of other sizes of their first axis where neither model says what it
            takes (a refusal of those is a note); ``data`` runs on them alone. Or ``--input`` texts
            such as ``"ids:int64[batch,seq<=512]"``, or a `Signature`. ``None``: random inputs that
            fit what the models say of themselves.
        data: what to run on, and on nothing else: path of an ``.npz``, arrays by input name, a
            function (or its name, ``"file.py:function"`` or ``"pkg.mod:function"``) that yields one
            such dict, or a tuple in order, for each case, or what it would yield.
        signature: what random inputs are made for; also names the outputs of a model whose
            outputs have only an order.
        tolerance: ``"auto"``: by the noise, measured against float64 (`verify.noise`), where a can
            be traced, else as ``"fixed"``: by a table per dtype (`verify.tolerance`).
        rtol, atol: if given, ``|a - b| <= atol + rtol * |a|`` for each element instead.
        seeds: number of random inputs, at least; every dynamic dimension is swept besides, and
            values are tried at several scales (`verify.scales`).
        seed: the first of them; the same seeds give the same inputs.
        sizes: sizes to try by dynamic dimension, instead of chosen ones (`verify.sizes`).
        runtime: names from `verify.runtimes.KINDS` to prefer where they can run a side;
            ``"a=..."`` and ``"b=..."`` mean that side alone.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``; ``"a=..."`` and ``"b=..."`` mean that side
            alone. A live PyTorch module stays where it is.
        latency: time both sides, too.
        max_slowdown: fail if b takes more than this many times as long as a, at 95 %: the whole
            interval of the ratio must lie above it; implies ``latency``.
        trust: allow files whose reading runs code that they carry.
        factory: ``"pkg.mod:function"`` that builds the model that a weights file belongs to.
        python_a, python_b: interpreter of that side's worker.
        python_torch, python_tf: interpreter of whichever side is of that framework.
        timeout: seconds for any one step of a worker.
        threads: how many a framework computes on; all that there are by default.
        batch_sweep: time over sizes of the first dynamic dimension, too; implies ``latency``.
        memory_limit: what a worker may allocate, in bytes or as ``"4GB"``; past it an allocation
            fails, and that is a row of the report (on Linux; a live model has no limit).
        rename: a's name to b's name, of inputs and outputs.
        ignore: outputs that are not compared.
        unordered: outputs that are sets of rows, such as ``"boxes+scores+labels"`` (permuted
            together) or ``"indices:1"`` (the rows lie along axis 1): b's rows are put into a's
            order before the comparison.
        frozen: trace the source twice and tell what became a constant; ``None``: after a mismatch.
        graph: the traced ONNX graph: tells the source's own noise, and the signature if none is
            given.
        noise: the source's largest relative error by output, where the caller has measured it.
        progress: called with a line when a step begins, a `verify.progress.Step` where it is known
            how far it is.
        weights: look for every weight of a in b, bit by bit (`verify.proof`).
        grad: compare training, too: gradients, and ``steps`` steps of SGD and of Adam.
        steps: see there; 0: gradients alone.
        loss: ``"mse"`` or ``"cross-entropy"`` (`verify.training.plan.LOSSES`).
        graphs: keep the nodes of both ONNX graphs in the report, for TensorBoard's pictures.
        locate: after a mismatch, find the node and the part of the conversion where it begins.
        deep: compare node by node without waiting for a mismatch (`verify.locate`).
        repro: folder to which the node at which an error begins is written, with its inputs and a
            script that runs it.
        early: workers that were started before the target was there.
        budget: seconds for the comparison, or ``"30s"``, ``"2m"``, ``"none"``: the most telling
            runs come first, and the report says what was left out. ``None``: 60 s, and for a
            costly model four times its first run; the user's own data are never left out then.

    Raises:
        UsageError: the arguments do not make sense together.
        InputSpecError: the declared inputs or the data do not fit the models.
        UnreadableModelError: a file is missing or not a model.
        UntrustedModelError: reading a file would run code that it carries.
        MissingFrameworkError: a framework that a side needs is not installed.
        DefectError: something went wrong that is Equiport's own fault; it is no verdict.
    """
    options = Options(
        tolerance_of(tolerance, rtol, atol), seeds, dict(rename or {}), tuple(ignore),
        {name: list(values) for name, values in (sizes or {}).items()},
        latency or batch_sweep or max_slowdown is not None, max_slowdown, dict(noise or {}), graph,
        progress or (lambda text: None), weights=weights, grad=grad, steps=steps,
        loss=check_loss(loss), locate=locate, deep=deep, repro=repro,
        frozen=frozen, unordered=groups(unordered),
        graphs=graphs, threads=threads, batch_sweep=batch_sweep, seed=seed,
    )  # fmt: skip
    kinds = {label: _kind(model) for label, model in (("a", a), ("b", b))}
    arrangement = check(
        kinds, tolerance=tolerance, rtol=rtol, atol=atol, loss=loss, unordered=unordered,
        budget=budget, seeds=seeds, seed=seed, max_slowdown=max_slowdown, steps=steps,
        repro=repro, runtime=runtime, device=device, trust=trust, factory=factory,
        python_a=python_a, python_b=python_b, python_torch=python_torch, python_tf=python_tf,
        timeout=timeout, threads=threads, memory_limit=memory_limit,
    )  # fmt: skip
    given, own_data = given_inputs(inputs, data)
    allowed = budget_seconds(budget)
    if allowed is None and own_data is not None and not own_data.examples:
        allowed = math.inf
    time_budget = Budget(allowed, LATENCY if options.latency else 0.0)
    if signature is None and graph is not None:
        from converter.graph.bounds import with_bounds
        from converter.graph.signatures import signature_of

        signature = with_bounds(signature_of(graph), graph)
    with ExitStack() as stack:
        sweep()
        folder = stack.enter_context(TemporaryFolder())
        sides = []
        for label, model in zip("ab", (a, b), strict=True):
            side = _side(label, model, arrangement, folder, early)
            stack.callback(side.close)
            sides.append(side)
        aside = arrangement.aside() if early is None else early.aside
        stack.callback(aside.close)
        job = Job(sides[0], sides[1], options, folder, aside, budget=time_budget)
        return job.run(merged(signature, given), own_data, bool(runtime) and arrangement.wanted)


def check(sides: Mapping[str, Kind | None], **given: Any) -> Arrangement:
    """Refuse what could not work, before any work.

    Args:
        sides: what each side is, by label; ``None``: live.
        given: keywords of `verify`; those that it takes and this does not know are not looked at.

    Returns:
        How the workers are to be started.

    Raises:
        UsageError: an argument makes no sense, a device is not here, a runtime runs neither side.
        MissingFrameworkError: a runtime that was asked for is not installed.
    """
    from verify.inputs import check_seeds

    tolerance_of(given.get("tolerance", "auto"), given.get("rtol"), given.get("atol"))
    check_loss(given.get("loss", "mse"))
    groups(given.get("unordered", ()))
    budget_seconds(given.get("budget"))
    check_seeds(given.get("seeds", 3), given.get("seed", 0))
    slowdown = given.get("max_slowdown")
    if slowdown is not None and not slowdown > 0:
        raise UsageError(f"max_slowdown is {slowdown}, it must be more than 0")
    if given.get("steps", 5) < 0:
        raise UsageError(f"steps is {given['steps']}, it must be 0 or more")
    if not given.get("timeout", 600.0) > 0:
        raise UsageError(f"timeout is {given['timeout']}, it must be more than 0")
    if given.get("repro") is not None:
        check_writable(Path(given["repro"]) / "repro.py")
    names = inspect.signature(arrange).parameters
    arrangement = arrange(**{name: value for name, value in given.items() if name in names})
    refuse(arrangement, sides)
    return arrangement


def assert_equivalent(a: Any, b: Any, inputs: Any = None, **options: Any) -> None:
    """Raise unless two models agree; takes what `verify` takes.

    Raises:
        AssertionError: they do not; the message is the report. No defect of Equiport, such as an
            ``assert`` of its own, comes out as one (`converter.errors.DefectError`).
    """
    report = verify(a, b, inputs=inputs, **options)
    if not report.passed:
        raise AssertionError(str(report))


def _kind(model: Any) -> Kind | None:
    if not isinstance(model, str | Path):
        return None
    from converter.formats import recognise

    module = recognise(model)
    return Kind(module.FRAMEWORK, module.NAME)


def _side(
    label: str, model: Any, arrangement: Arrangement, folder: Path, early: Early | None
) -> AnySide:
    if not isinstance(model, str | Path):
        wanted, device = arrangement.wanted[label], arrangement.devices[label]
        return LiveSide(label, model, wanted, device, arrangement.common["threads"])
    from converter.formats import recognise

    path = Path(model)
    side = arrangement.side(label, path, recognise(path).FRAMEWORK, folder)
    return side if early is None else early.take(side)
