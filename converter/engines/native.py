"""Our own rebuild, and the files it is saved in."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import (
    MissingFrameworkError,
    NotExportable,
    RebuildError,
    VerificationFailed,
    first_line,
)
from converter.formats import Source
from converter.naming import class_name
from converter.pipeline import Conversion, Options, describe
from converter.progress import Progress, count, size
from converter.record import Record, Weight
from converter.signature import Signature, TensorSpec
from converter.source.place import SOURCE

if TYPE_CHECKING:
    import onnx_ir as ir

    from converter.source.written import Written


TRAINING = "the written module trains: BatchNormalization and Dropout follow {mode}"
BESIDE = f"what lies beside {SOURCE}/ is in inference mode"
UNWRITTEN = {
    True: "all parameters train; in the live module BatchNormalization follows train() and eval(), "
    "Dropout stays off, and model.pt2 is in inference mode",
    False: "all parameters train; BatchNormalization uses its running statistics, Dropout is off",
}
"""What ``--for training`` gives where no source code can be written, by whether batch normalisation
follows the mode."""
MODES = {"torch": "train() and eval()", "tf": "training=True and training=False"}


def rebuild(
    source: Source,
    graph: ir.Model,
    signature: Signature,
    path: Path | None,
    options: Options,
    progress: Progress,
) -> Conversion:
    """Rebuild the graph in the target framework, and save it if there is a ``path``.

    Raises:
        UnsupportedOpsError: operators without a handler, all listed.
        OutputError: the artifact cannot be written.
    """
    from converter.graph.borders import requested

    with progress.stage("rewrite") as stage:
        graph, signature = requested(graph, signature, options.layout, source.framework)
        stage.detail = describe(graph)
    with progress.stage("rebuild") as stage:
        if options.to == "onnx":
            module, signature = as_onnx(graph, signature)
        else:
            module = build(graph, options)
            # The graph alone does not say ranges and layout, nor the framework's carriers.
            signature = module.signature = with_carriers(signature, module.signature)
        weights = weights_of(module, graph)
        trainable = sum(weight.role == "parameter" for weight in weights.values())
        stage.detail = f"{count(trainable, 'trainable parameter')}"
    record = Record(signature, weights, source.framework, "native", options.purpose)
    result = Conversion(module, None, None, graph, signature)
    written = None
    if options.to in LANGUAGES and options.keeps_dropout:
        with progress.stage("write") as stage:
            written = as_source(result, module, source, options)
            lines = written.text.count("\n") if written is not None else 0
            stage.detail = f"{count(lines, 'line')} of source code"
    elif options.purpose == "training":
        result.notes.append(UNWRITTEN[False])
    if signature.state:
        result.notes.append(told(signature))
    if path is not None:
        with progress.stage("save") as stage:
            try:
                result.notes += save(module, graph, record, path, options.to)
            except NotExportable as refusal:
                instead = written or write_instead(refusal, result, module, source, options)
                result.notes.append(save_written(refusal, instead, record, path))
            else:
                if written is not None:
                    result.notes += save_beside(written, path, options)
            stage.detail = size(size_on_disk(path))
    elif options.to == "keras":
        from converter.formats.keras_model import ConvertedModel

        result.model = ConvertedModel.from_graph(graph, record)
    return result


def write_instead(
    refusal: NotExportable, result: Conversion, module: Any, source: Source, options: Options
) -> Written:
    """Write a PyTorch target that cannot be exported as source code.

    Raises:
        RebuildError: it cannot be written either; both causes are named.
    """
    try:
        written = as_source(result, module, source, replace(options, written=True))
    except (RebuildError, MissingFrameworkError, VerificationFailed) as error:
        raise RebuildError(
            f"{refusal.message}; and {error.message}",
            hint=error.hint if isinstance(error, MissingFrameworkError) else refusal.hint,
        ) from error
    assert written is not None  # asked for by name, it is written or refused
    return written


def save_written(refusal: NotExportable, written: Written, record: Record, path: Path) -> str:
    """Write an artifact without a program; returns the note that says why it has none."""
    from converter.formats import written_module

    written_module.save(written, path, record)
    return (
        f"there is no model.pt2, because torch.export cannot hold the model ({refusal.message}): "
        "the artifact is the PyTorch module in model.py (from model import load); reading it runs "
        "Python code, so verify and convert ask for --trust"
    )


def save_beside(written: Written, path: Path, options: Options) -> list[str]:
    """Write the written module into a folder of an artifact; returns notes."""
    from converter.source.check import saving_of

    (path / SOURCE).mkdir()
    saving_of(LANGUAGES[options.to]).save(written, path / SOURCE)
    return [BESIDE] if options.purpose == "training" else []


LANGUAGES = {"torch": "torch", "tf": "keras"}
"""The language that the source of a target is written in."""


def as_source(result: Conversion, module: Any, source: Source, options: Options) -> Written | None:
    """Write a result as source code, too; for training that is the live result.

    Returns:
        ``None``: it has no words for it, and training alone had asked for it; a note says why.

    Raises:
        NotWritable: the graph has something that the writer has no words for.
        VerificationFailed: the written module does something else.
    """
    from converter.source.check import check
    from converter.source.errors import NotWritable

    language = LANGUAGES[options.to]
    training = options.purpose == "training"
    if language == "torch":
        from converter.source.pytorch.module import write
        from converter.source.pytorch.prepare import prepared
    else:
        from converter.source.keras.module import write
        from converter.source.keras.prepare import prepared

    name = title(source)
    try:
        written = write(prepared(result.graph), name)
        live = check(written, module, result.graph, result.signature, language)
    except NotWritable as error:
        if options.written or not training:
            raise
        follows = options.to == "torch" and _normalises(result.graph)
        result.notes += [first_line(error), UNWRITTEN[follows]]
        return None
    result.source = written.text
    result.notes += written.notes
    if training:
        result.model = live
        result.notes.append(TRAINING.format(mode=MODES[options.to]))
    return written


_NUMBERED = re.compile(r"(functional|model|sequential)(_\d+)?")
"""Names that Keras gives to a model that has none."""


def title(source: Source) -> str:
    """Return what a class that a whole source becomes is called, where its trace does not say."""
    own = getattr(source.model, "name", None)
    if isinstance(own, str) and not _NUMBERED.fullmatch(own):
        return class_name(own)
    stem = source.path.stem if source.path is not None else type(source.model).__name__
    return class_name(stem) or "Model"


def _normalises(graph: ir.Model) -> bool:
    """Tell whether batch normalisation is one node, and not, as Keras's, written out."""
    return any(node.op_type == "BatchNormalization" for node in graph.graph.all_nodes())


def told(signature: Signature) -> str:
    """Say where the target keeps what the model changes between calls."""
    names = ", ".join(state.name for state in signature.state)
    if all(state.input is None for state in signature.state):
        return f"the model changes {names} in each call; the result keeps them between calls, too"
    pairs = ", ".join(f"{state.output} -> {state.input}" for state in signature.state)
    return (
        f"the model changes {names} in each call; ONNX keeps nothing between calls, so each is an "
        f"input and an output: give what came out to the next call ({pairs}). The first call takes "
        "what the initializers of these names hold"
    )


def as_onnx(graph: ir.Model, signature: Signature) -> tuple[ir.Model, Signature]:
    """Return the graph that an ONNX file holds: state is one more input and output each.

    An operator computes wider where ONNX's standard has not got its type.
    """
    from converter.graph.allowed_types import with_allowed_types
    from converter.graph.signatures import signature_of
    from converter.graph.state import explicit

    graph = with_allowed_types(graph)
    if not signature.state:
        return graph, signature
    copy, state = explicit(graph)
    own = signature_of(copy)
    return copy, replace(
        signature,
        inputs=(*signature.inputs, *(own.input(item.input or "") for item in state)),
        outputs=(*signature.outputs, *(own.output(item.output or "") for item in state)),
        state=state,
    )


def build(graph: ir.Model, options: Options) -> Any:
    """Return the live target in a framework."""
    if options.to == "torch":
        from converter.rebuild.pytorch import build as build_pytorch

        return build_pytorch(graph, purpose=options.purpose)
    from converter.rebuild.tensorflow import build as build_tensorflow

    return build_tensorflow(graph)


def with_carriers(signature: Signature, own: Signature) -> Signature:
    """Return ``signature`` with the wider types in which the target carries small ones."""

    def told(specs: tuple[TensorSpec, ...], by: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
        pairs = zip(specs, by, strict=True)
        return tuple(replace(spec, carried_as=other.carried_as) for spec, other in pairs)

    return replace(
        signature,
        inputs=told(signature.inputs, own.inputs),
        outputs=told(signature.outputs, own.outputs),
    )


def weights_of(module: Any, graph: ir.Model) -> dict[str, Weight]:
    """Return role and permutation of each weight, as the target stores them."""
    stored = getattr(module, "permutations", None)
    held = getattr(module, "names", None) or {}
    weights: dict[str, Weight] = {}
    for name, value in graph.graph.initializers.items():
        role = value.metadata_props.get("equiport.role")
        if role is None:
            continue
        permutation = value.metadata_props.get("equiport.permutation")
        if stored is not None:
            own = stored.get(name)
        else:
            own = tuple(map(int, permutation.split(","))) if permutation else None
        weights[name] = Weight(role, own, held.get(name))
    return weights


def save(module: Any, graph: ir.Model, record: Record, path: Path, to: str) -> list[str]:
    """Write the artifact of kind ``to`` to ``path``; returns what the user should know of it."""
    if to == "tflite":
        from converter.formats.tflite import save as save_tflite

        return save_tflite(module, path, record)
    if to == "torch":
        from converter.formats.torch_artifact import save as save_torch

        save_torch(module, path, record)
    elif to == "tf":
        from converter.formats.saved_model import save as save_tensorflow

        save_tensorflow(module, path, record)
    elif to == "keras":
        from converter.formats.keras_archive import save as save_keras

        save_keras(graph, module, path, record)
    else:
        from converter.formats.onnx_file import save as save_onnx

        save_onnx(module, path, record)
    return []


def size_on_disk(path: Path) -> int:
    """Return the bytes of a file or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
