"""What cannot work is refused before any work: before a file is loaded or a framework imported."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import MissingFrameworkError, OutputError, UsageError
from converter.requirements import TARGET, TARGET_FRAMEWORK, require
from converter.suggestions import suggestion

if TYPE_CHECKING:
    from converter.pipeline import Options

TARGETS = ("tf", "keras", "tflite", "torch", "onnx")
ENGINES = ("auto", "native", "onnx2tf")
PURPOSES = ("inference", "training")

KINDS = {
    "tf": "saved_model", "keras": "keras_archive", "tflite": "tflite", "torch": "torch_artifact",
    "onnx": "onnx_file",
}  # fmt: skip
"""Format that each target is written in."""


def check(options: Options) -> None:
    """Refuse options that make no sense, alone or together.

    Raises:
        UsageError: says which.
    """
    for name, value, known in (
        ("to", options.to, TARGETS),
        ("engine", options.engine, ENGINES),
        ("purpose", options.purpose, PURPOSES),
    ):
        if value not in known:
            raise UsageError(f"unknown {name} {value!r}", hint=f"Known: {', '.join(known)}.")
    if options.written and (options.to not in ("torch", "tf") or options.engine == "onnx2tf"):
        raise UsageError(
            f"source code is written beside the artifacts of torch and tf, not of {options.to}",
            hint="Leave --source out (source= in Python), or take --to torch, or --to tf, beside "
            "which it is Keras.",
        )
    if options.written and (options.python_torch or options.python_tf):
        raise UsageError(
            "source code is not written in another interpreter yet",
            hint="Leave --python-torch and --python-tf out: install both beside Equiport.",
        )
    if options.keeps_dropout:
        require(("ruff",), "--source" if options.written else "--for training")
    if options.engine == "onnx2tf" and options.to not in ("tf", "tflite"):
        raise UsageError(
            f"the engine onnx2tf cannot write {options.to}",
            hint="It rebuilds in TensorFlow: use --to tf or --to tflite, or the native engine.",
        )
    from converter.graph.borders import check_layout

    check_layout(options.layout)
    if options.engine == "onnx2tf" and options.layout != "keep":
        raise UsageError(
            "the engine onnx2tf chooses the layout itself and declares it",
            hint="Leave --layout out, or use the native engine.",
        )
    if options.factory is not None:
        from converter.formats.factory import check_form

        check_form(options.factory)


def check_inputs(inputs: Any) -> None:
    """Refuse ``--input`` texts that cannot be read.

    Raises:
        InputSpecError: says which.
    """
    texts = [inputs] if isinstance(inputs, str) else inputs
    if isinstance(texts, list | tuple) and texts and all(isinstance(t, str) for t in texts):
        from converter.signature import parse_inputs

        parse_inputs(texts)


def check_target(options: Options, path: Path | None) -> None:
    """Refuse a target whose packages or interpreter are missing.

    Raises:
        UsageError: what was named is no interpreter, or there is no path and must be one.
        MissingFrameworkError: names what is not installed, and where.
    """
    from converter.stages import elsewhere
    from converter.stages.interpreters import check_interpreter

    for python in (options.python_torch, options.python_tf):
        if python is not None:
            check_interpreter(python)
    if options.engine == "onnx2tf":
        from converter.engines import onnx2tf

        onnx2tf.check_available(options, path)
        return
    python = elsewhere.interpreter(TARGET_FRAMEWORK[options.to], options)
    needed = (TARGET[options.to], f"a target for {options.to}")
    require(*needed) if python is None else elsewhere.require(python, *needed)


def check_comparison(model: Any, options: Options) -> None:
    """Refuse what the comparison at the end could not do.

    Raises:
        UsageError, MissingFrameworkError: see `verify.verification.check`.
    """
    if options.verifier is not None:
        return
    from verify.refusals import Kind
    from verify.verification import check as check_options

    given = comparison_options(options)
    source = None
    if isinstance(model, str | Path):
        from converter.formats import recognise

        module = recognise(model)
        source = Kind(module.FRAMEWORK, module.NAME)
    target = Kind(TARGET_FRAMEWORK[options.to], KINDS[options.to])
    check_options({"a": source, "b": target}, **given)


def comparison_options(options: Options) -> dict[str, Any]:
    """Return the keywords of `verify.verify` that follow from the options.

    Raises:
        UsageError: ``verifier_options`` has a name that the verifier does not take.
    """
    from verify import verify

    known = keywords(verify)
    for name in options.verifier_options if options.verifier is None else ():
        if name not in known and not takes_any(verify):
            raise UsageError(
                f"verifier_options: the verifier has no option {name!r}",
                hint=suggestion(name, known) or f"It has: {', '.join(known)}.",
            )
    return {
        "trust": options.trust, "factory": options.factory, "device": options.device,
        "python_torch": options.python_torch, "python_tf": options.python_tf,
        "budget": options.budget,
    } | dict(options.verifier_options)  # fmt: skip


def keywords(function: Callable[..., Any]) -> list[str]:
    """Return the names of a function's keyword-only parameters."""
    parameters: Mapping[str, inspect.Parameter] = inspect.signature(function).parameters
    return [name for name, item in parameters.items() if item.kind is item.KEYWORD_ONLY]


def takes_any(function: Callable[..., Any]) -> bool:
    """Tell whether a function takes keywords of any name."""
    parameters = inspect.signature(function).parameters.values()
    return any(item.kind is item.VAR_KEYWORD for item in parameters)


def check_report_folder(folder: Path, verify: bool) -> None:
    """Refuse a report that could not be written after all the work.

    Raises:
        UsageError: there will be no report.
        OutputError: the folder cannot be written.
        MissingFrameworkError: what the HTML page needs is not installed.
    """
    if not verify:
        raise UsageError(
            "--report has nothing to report with --no-verify", hint="Leave one of them out."
        )
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"--report {folder} is a file; a folder is needed")
    above = folder.absolute()
    existing = next(parent for parent in (above, *above.parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise OutputError(
            f"--report {folder} cannot be written: {existing} is no folder that you may write to",
            hint="Choose another folder.",
        )
    from verify.report.html import check_available

    try:
        check_available()
    except MissingFrameworkError as error:
        raise MissingFrameworkError(f"--report: {error.message}", hint=error.hint) from error
