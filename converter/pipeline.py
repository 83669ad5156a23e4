"""The road that a model takes: load, trace, rewrite, rebuild, save, verify, hand over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.checks import (
    check,
    check_comparison,
    check_inputs,
    check_target,
    comparison_options,
    keywords,
)
from converter.errors import ConversionError, UsageError, VerificationFailed, first_line
from converter.formats import Source
from converter.progress import Progress, Stage, count, size
from converter.requirements import SOURCE, TARGET_FRAMEWORK, require
from converter.signature import Signature

if TYPE_CHECKING:
    import onnx_ir as ir

    from verify import Report
    from verify.early import Early

Verifier = Callable[..., "Report"]


@dataclass
class Options:
    """How to convert; the same names as `convert`'s keywords."""

    to: str
    purpose: str = "inference"
    engine: str = "auto"
    layout: str = "keep"
    device: str = "cpu"
    trust: bool = False
    factory: str | None = None
    keep_failed: bool = False
    keep_paths: bool = False
    python_onnx2tf: str | None = None
    verifier: Verifier | None = None
    verifier_options: Mapping[str, Any] = field(default_factory=dict)
    python_torch: str | None = None
    python_tf: str | None = None
    budget: str | float | None = None
    early: Early | None = None
    written: bool = False
    elsewhere: bool = False
    """Whether this is the other interpreter, which works for the user's."""

    @property
    def keeps_dropout(self) -> bool:
        """Whether the graph keeps what does something in training alone."""
        other = self.python_torch or self.python_tf or self.elsewhere
        here = not other and self.engine != "onnx2tf"
        return self.written or (self.purpose == "training" and self.to in ("torch", "tf") and here)


@dataclass(repr=False)
class Conversion:
    """What came of a conversion.

    Attributes:
        model: the live target: an `nn.Module`, a `tf.Module`, a Keras model or an `onnx_ir.Model`;
            ``None`` where the target lives in its file alone (``tflite``, engine onnx2tf, another
            interpreter).
        path: what was written, ``None`` if nothing was asked for.
        report: the comparison, ``None`` if it was not asked for.
        graph: the ONNX graph between the two.
        signature: inputs and outputs of the target.
        engine: ``"native"`` or ``"onnx2tf"``.
        notes: what the user should know, e.g. why the engine was chosen.
        stages: name, seconds and size of each stage.
        source: the written module's text, ``None`` where none was asked for or needed.
        origin: what was converted, in words.
        target: what it became, in words.
    """

    model: Any
    path: Path | None
    report: Report | None
    graph: ir.Model
    signature: Signature
    engine: str = "native"
    notes: list[str] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    source: str | None = None
    origin: str = "a model"
    target: str = "a model"

    def __str__(self) -> str:
        from converter.summary import summary

        return summary(self)

    __repr__ = __str__


def convert(
    model: Any,
    to: str,
    *,
    inputs: Any = None,
    dynamic: Mapping[str, Any] | None = None,
    output: str | Path | None = None,
    purpose: str = "inference",
    engine: str = "auto",
    layout: str = "keep",
    verify: bool = True,
    device: str = "cpu",
    trust: bool = False,
    factory: str | None = None,
    keep_failed: bool = False,
    keep_paths: bool = False,
    python_onnx2tf: str | None = None,
    verifier: Verifier | None = None,
    verifier_options: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    python_torch: str | None = None,
    python_tf: str | None = None,
    budget: str | float | None = None,
    signature: str | None = None,
    source: bool = False,
) -> Conversion:
    """Convert a model, verify the result, and only then hand it over.

    Args:
        model: a live model or a path.
        to: ``"tf"``, ``"keras"``, ``"tflite"``, ``"torch"`` or ``"onnx"``.
        inputs: example tensors in order or by name, texts such as ``"x:float32[batch,3,32,32]"``,
            or a `Signature`; needed where the model does not say what its inputs look like.
        dynamic: input name to ``{axis: word}``, laid over the examples' shapes.
        output: where to write; must not exist. ``None``: nothing is written.
        purpose: ``"inference"`` or ``"training"``: to ``"torch"`` and ``"tf"`` the latter writes
            source code, too, and `Conversion.model` is the written module, in which batch
            normalisation and dropout follow the mode; `Conversion.notes` says what it gives.
        engine: ``"native"``, ``"onnx2tf"``, or ``"auto"``: native, and onnx2tf only where that
            fails or does not verify.
        layout: ``"keep"``: inputs and outputs as in the source.
        verify: compare source and target.
        trust: allow files whose reading runs code that they carry.
        factory: ``"pkg.mod:function"`` that builds the model that a weights file belongs to.
        keep_failed: hand over a result that does not verify (the report says so).
        keep_paths: keep this machine's paths in the graph's provenance.
        python_onnx2tf: the interpreter that has onnx2tf.
        verifier: used in place of `verify.verify`.
        verifier_options: keywords for the verifier.
        python_torch, python_tf: the interpreter in which everything of that framework is done:
            loading and tracing a file, rebuilding and saving the target, running either side.
        budget: seconds for the verification, or ``"30s"``, ``"2m"``, ``"none"``; see
            `verify.verify`.
        signature: which signature of a SavedModel that has several.
        source: write the target as source code, too (``"torch"`` as PyTorch, ``"tf"`` as Keras):
            a module of the framework's own layers in the folder ``source`` of the artifact, and its
            text in `Conversion.source`. It is compared with the artifact before anything is handed
            over. Where `torch.export` cannot hold a PyTorch target, the artifact is such a module
            in any case, and a note says so.

    Raises:
        UsageError: the arguments do not make sense.
        UnreadableModelError: the file cannot be read.
        UntrustedModelError: reading it would run code.
        UnsupportedOpsError: operators that cannot be converted, all listed.
        ConversionError: the model cannot be traced or rebuilt.
        VerificationFailed: source and target do not agree; nothing is written.
        OutputError: ``output`` exists or cannot be written.
        MissingFrameworkError: a framework that is needed is not installed.
    """
    options = Options(
        to, purpose, engine, layout, device, trust, factory, keep_failed, keep_paths,
        python_onnx2tf, verifier, dict(verifier_options or {}), python_torch, python_tf,
        budget, written=source,
    )  # fmt: skip
    check(options)
    check_inputs(inputs)
    from converter.formats.staged import publish, refuse_existing, staged, swept
    from converter.temporary import sweep
    from converter.trace.told import taken_notes

    progress = progress or Progress()
    path = Path(output) if output is not None else None
    sweep()
    removed = [] if path is None else swept(path)
    for line in removed:
        progress.message(f"{line[0].upper()}{line[1:]}.")
    if path is not None:
        refuse_existing(path)
    model = with_signature(model, signature)
    check_target(options, path)
    if verify:
        check_comparison(model, options)
    with ExitStack() as stack:
        if verify and path is not None and options.verifier is None:
            options.early = early_workers(model, options)
            stack.callback(options.early.close)
        origin, graph, described = traced(model, inputs, dynamic, options, progress)
        notes = taken_notes(graph)
        temporary = stack.enter_context(staged(path)) if path is not None else None
        options = with_examples(options, inputs, described)
        result = by_engine(origin, graph, described, temporary, options, progress, verify)
        if path is not None:
            assert temporary is not None
            publish(temporary, path)
            result.path = path
    result.notes[:0] = notes
    result.notes += removed
    result.origin, result.target = in_words(origin), TARGET_WORDS[to]
    result.stages = progress.stages
    return result


def with_examples(options: Options, inputs: Any, signature: Signature) -> Options:
    """Let the verifier run on example tensors, too, where they are what the graph takes.

    They are one case beside random inputs; ``verifier_options={"data": ...}`` runs on data alone.
    """
    if options.verifier is not None or {"inputs", "data"} & set(options.verifier_options):
        return options
    from converter.declared import as_named

    examples = as_named(inputs, signature)
    if examples is None:
        return options
    return replace(options, verifier_options={**options.verifier_options, "inputs": examples})


TARGET_WORDS = {
    "tf": "TensorFlow SavedModel", "keras": "Keras model", "tflite": "LiteRT file",
    "torch": "PyTorch artifact", "onnx": "ONNX file",
}  # fmt: skip


def in_words(source: Source) -> str:
    """Return name, framework and format of a source: ``net.pt2 (torch, exported program)``."""
    name = source.path.name if source.path is not None else type(source.model).__name__
    return f"{name} ({source.framework}, {source.kind.replace('_', ' ')})"


def early_workers(model: Any, options: Options) -> Early:
    """Start the processes that will run source and target while there is no target yet."""
    from verify.early import Early, arrange

    given, names = comparison_options(options), keywords(arrange)
    arrangement = arrange(**{name: value for name, value in given.items() if name in names})
    return Early(arrangement, Path(model) if isinstance(model, str | Path) else None, options.to)


def with_signature(model: Any, name: str | None) -> Any:
    """Choose a signature of a SavedModel: ``path#name`` for a file, a loaded one in place.

    Raises:
        UsageError: the model is no SavedModel, or has no such signature.
    """
    if name is None:
        return model
    from converter.formats import saved_model

    what = f"{model}" if isinstance(model, str | Path) else f"a {type(model).__name__}"
    if isinstance(model, str | Path) and saved_model.recognise(Path(model)):
        return saved_model.folder_of(Path(model)).with_name(
            f"{saved_model.folder_of(Path(model)).name}#{name}"
        )
    if isinstance(model, str | Path) or not hasattr(model, "signatures"):
        raise UsageError(
            f"--signature chooses a signature of a SavedModel, and {what} is none",
            hint="Leave --signature out.",
        )
    from converter.formats.tensorflow_signature import one_signature

    return one_signature(model, name, what)


def load(model: Any, *, trust: bool = False, factory: str | None = None) -> Source:
    """Recognise and load a file, or wrap a live model.

    Raises:
        UnreadableModelError, UntrustedModelError, UsageError, MissingFrameworkError: see `convert`.
    """
    from converter import formats

    if isinstance(model, Source):
        return model
    if isinstance(model, str | Path):
        return formats.load(Path(model), trust=trust, factory=factory)
    return formats.from_live(model)


def traced(
    model: Any, inputs: Any, dynamic: Any, options: Options, progress: Progress
) -> tuple[Source, ir.Model, Signature]:
    """Load and trace, in the interpreter that was named for the source's framework."""
    from converter.stages import elsewhere

    python = elsewhere.source_interpreter(model, options)
    if python is not None:
        return elsewhere.trace(python, model, inputs, dynamic, options, progress)
    source = load_stage(model, options, progress)
    require(SOURCE[source.framework], f"tracing a {source.framework} model")
    graph, signature = trace_stage(source, inputs, dynamic, options, progress)
    return source, graph, signature


def load_stage(model: Any, options: Options, progress: Progress) -> Source:
    """Load."""
    with progress.stage("load") as stage:
        source = load(model, trust=options.trust, factory=options.factory)
        stage.detail = f"{source.framework} {source.kind.replace('_', ' ')}"
    return source


def trace_stage(
    source: Source, inputs: Any, dynamic: Any, options: Options, progress: Progress
) -> tuple[ir.Model, Signature]:
    """Trace to ONNX; returns the graph and its signature with the declared ranges."""
    from converter.declared import declared
    from converter.graph.bounds import with_bounds
    from converter.graph.signatures import signature_of
    from converter.graph.squeezes import never_one
    from converter.trace.told import tell, with_taken_sizes

    with progress.stage("trace") as stage:
        said = declared(source, inputs, dynamic)
        if said.fixed:
            bind_fixed(source, said.fixed)
        graph = trace(source, said.signature, said.examples, options)
        tell(graph, source.notes)
        if options.purpose == "training" and options.keeps_dropout:
            tell(graph, in_training_alone(source, said.signature, said.examples))
        signature = with_bounds(signature_of(graph), graph)
        if (declared_by := said.signature or source.signature) is not None:
            signature = replace(signature, dims=declared_by.dims, conditions=declared_by.conditions)
        signature = with_taken_sizes(graph, signature)
        if squeezed := never_one(graph, signature):
            signature = replace(signature, conditions=(*signature.conditions, *squeezed))
            why = "the model drops sizes of 1: the result is for sizes with "
            tell(graph, [f"{why}{condition}" for condition in squeezed])
        stage.detail = describe(graph)
    return graph, signature


def in_training_alone(source: Source, signature: Any, examples: Any) -> list[str]:
    """Say what a live model does in training alone, beside dropout and moving statistics."""
    if source.framework == "torch" and source.kind == "module":
        from converter.trace.pytorch.modes import in_training_alone as of_module

        return of_module(source.model, signature, examples)
    if source.framework == "tensorflow":
        from converter.trace.tensorflow.functions import is_keras
        from converter.trace.tensorflow.modes import in_training_alone as of_keras

        return of_keras(source.model, signature) if is_keras(source.model) else []
    return []


def bind_fixed(source: Source, fixed: dict[str, Any]) -> None:
    """Let every call of a live module pass arguments that are no tensors; in place.

    Raises:
        UsageError: the source is no live module, or takes no such arguments.
    """
    import inspect

    names = ", ".join(fixed)
    if source.framework != "torch" or source.kind != "module" or source.path is not None:
        raise UsageError(
            f"{names}: only a live nn.Module takes arguments that are no tensors",
            hint="Give the module in place of the file, or leave these arguments out.",
        )
    from converter.formats.torch_call import bound

    taken = inspect.signature(source.model.forward).parameters
    everything = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values())
    if not everything and (unknown := [name for name in fixed if name not in taken]):
        raise UsageError(
            f"the model has no argument called {unknown[0]!r}",
            hint=f"It takes: {', '.join(taken)}.",
        )
    source.model = bound(source.model, fixed)


def trace(source: Source, signature: Any, examples: dict[str, Any], options: Options) -> ir.Model:
    """Call the trace of the source's framework; ONNX needs none.

    Dropout stays in the graph only where source code is to be written from it.
    """
    from converter.graph.dropout import drop_dropout

    graph = _trace(source, signature, examples, options)
    return graph if options.keeps_dropout else drop_dropout(graph)


def _trace(source: Source, signature: Any, examples: dict[str, Any], options: Options) -> ir.Model:
    if source.framework == "torch":
        from converter.trace.pytorch import trace as trace_pytorch

        return trace_pytorch(
            source,
            signature,
            given=examples,
            keep_paths=options.keep_paths,
            trained=options.keeps_dropout and options.purpose == "training",
        )
    if source.framework == "tensorflow":
        from converter.trace.tensorflow import trace as trace_tensorflow

        return trace_tensorflow(source, signature, layers=options.keeps_dropout)
    from converter.trace.onnx import trace as trace_onnx

    return trace_onnx(source, signature)


def describe(graph: ir.Model) -> str:
    """Return the size of a graph in words."""
    from converter.graph.clean import weights_of

    weights = [v.const_value for v in weights_of(graph) if v.const_value is not None]
    nodes = sum(1 for _ in graph.graph.all_nodes())
    total = sum(weight.nbytes for weight in weights)
    return f"{count(nodes, 'node')}, {count(len(weights), 'weight')}, {size(total)}"


def by_engine(
    source: Source,
    graph: ir.Model,
    signature: Signature,
    path: Path | None,
    options: Options,
    progress: Progress,
    wanted: bool,
) -> Conversion:
    """Take the native road, and the other one where that fails and the user left the choice."""
    from converter.engines import native, onnx2tf
    from converter.formats.staged import discard
    from converter.stages import elsewhere

    python = elsewhere.interpreter(TARGET_FRAMEWORK[options.to], options)
    own = native if python is None else elsewhere.Engine(python)
    if options.engine == "onnx2tf":
        return finish(onnx2tf, source, graph, signature, path, options, progress, wanted)
    try:
        return finish(own, source, graph, signature, path, options, progress, wanted)
    except (ConversionError, VerificationFailed) as error:
        if options.engine != "auto" or path is None or not onnx2tf.available(options):
            raise
        reason = first_line(error)
        progress.message(f"The native road failed: {reason} Trying onnx2tf.")
        discard(path)
        try:
            result = finish(onnx2tf, source, graph, signature, path, options, progress, wanted)
        except (ConversionError, VerificationFailed) as other:
            error.add_note(f"onnx2tf failed as well: {other}")
            raise error from other
        result.notes.append(f"onnx2tf was used: the native road failed: {reason}")
        return result


def finish(
    engine: Any,
    source: Source,
    graph: ir.Model,
    signature: Signature,
    path: Path | None,
    options: Options,
    progress: Progress,
    wanted: bool,
) -> Conversion:
    """Rebuild, save and verify by one engine."""
    result: Conversion = engine.rebuild(source, graph, signature, path, options, progress)
    if wanted:
        with progress.stage("verify") as stage:
            result.report = compare(source, graph, result, path, signature, options, progress)
            stage.detail = "passed" if result.report.passed else "FAILED"
        if not result.report.passed and not options.keep_failed:
            raise VerificationFailed(
                "source and target do not agree; nothing was written",
                report=result.report,
                hint="The table above says which outputs. --keep-failed hands the result over "
                "all the same, --no-verify does not compare.",
            )
    return result


def compare(
    source: Source,
    graph: ir.Model,
    result: Conversion,
    path: Path | None,
    signature: Signature,
    options: Options,
    progress: Progress,
) -> Report:
    """Run source and target and compare: files each in a process of its own."""
    from converter.formats import written_module

    if options.verifier is not None:
        verify = options.verifier
    else:
        from verify import verify
    target = path if path is not None and path.exists() else result.model
    given = {"signature": signature, "graph": graph, **comparison_options(options)}
    if options.verifier is None:
        given.setdefault(
            "progress",
            lambda text: progress.step(
                text, getattr(text, "share", None), getattr(text, "left", None)
            ),
        )
    elif "budget" not in options.verifier_options:
        del given["budget"]
    if isinstance(target, Path) and written_module.recognise(target):
        # Ours from a moment ago; the source was read before, and not trusted unless the user did.
        given["trust"] = True
    if options.early is not None:
        given["early"] = options.early
    return verify(source.path or source.model, target, **given)
