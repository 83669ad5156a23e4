"""ONNX -> TensorFlow through onnx2tf, in an interpreter of its own.

Its dependencies cannot live beside current packages, so only an ONNX file, a SavedModel and a few
lines of JSON cross the border. It moves channels last; the signature declares that of each input
and output, and the verifier undoes what is declared and nothing else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from converter.errors import MissingFrameworkError, RebuildError, UsageError
from converter.formats import Source
from converter.pipeline import Conversion, Options
from converter.progress import Progress, size
from converter.record import FILE_NAME, Record
from converter.signature import Signature, TensorSpec
from converter.temporary import TemporaryFolder

if TYPE_CHECKING:
    import onnx_ir as ir

PYTHON = ".venv-onnx2tf/bin/python"
"""Where `make onnx2tf` puts the interpreter, from the present folder."""

VARIABLE = "EQUIPORT_PYTHON_ONNX2TF"
LARGEST_IR_VERSION = 10
"""onnx2tf's onnxruntime reads no newer one."""

WORKER = Path(__file__).with_name("onnx2tf_worker.py")


def interpreter(options: Options) -> str | None:
    """Return the interpreter that has onnx2tf: as given, from the environment, or as made here."""
    if options.python_onnx2tf:
        return options.python_onnx2tf
    if os.environ.get(VARIABLE):
        return os.environ[VARIABLE]
    here = Path(__file__).parents[2] / PYTHON
    return next((str(path) for path in (Path(PYTHON).absolute(), here) if path.exists()), None)


def available(options: Options) -> bool:
    """Tell whether this engine can be tried."""
    possible = options.to in ("tf", "tflite") and options.layout == "keep"
    return possible and interpreter(options) is not None


def check_available(options: Options, path: Path | None) -> str:
    """Return the interpreter that has onnx2tf.

    Raises:
        UsageError: there is no ``path``.
        MissingFrameworkError: there is no such interpreter.
    """
    if path is None:
        raise UsageError(
            "the engine onnx2tf needs output=",
            hint=f"Its result lives in a file only; say where to write the {options.to} artifact.",
        )
    python = interpreter(options)
    if python is None or shutil.which(python) is None:
        raise MissingFrameworkError(
            f"no interpreter with onnx2tf was found{f' at {python}' if python else ''}",
            hint="Build one with `make onnx2tf`, or name it with --python-onnx2tf PATH.",
        )
    return python


def rebuild(
    source: Source,
    graph: ir.Model,
    signature: Signature,
    path: Path | None,
    options: Options,
    progress: Progress,
) -> Conversion:
    """Convert with onnx2tf; the target lives in its files.

    Raises:
        UsageError: there is no ``path``.
        MissingFrameworkError: no interpreter has onnx2tf.
        RebuildError: onnx2tf failed; the message has its last words.
    """
    python = check_available(options, path)
    assert path is not None
    if signature.state:
        names = ", ".join(state.name for state in signature.state)
        raise RebuildError(
            f"the engine onnx2tf keeps nothing between calls, and the model changes {names}",
            hint="Use the native engine, which keeps it in variables.",
        )
    with progress.stage("rebuild") as stage, TemporaryFolder() as folder:
        stage.detail = "onnx2tf"
        declared = run(python, graph, signature, folder, options)
        made = folder / ("model.tflite" if options.to == "tflite" else "saved_model")
        shutil.move(made, path)
    with progress.stage("save") as stage:
        record = Record(declared, {}, source.framework, "onnx2tf", options.purpose)
        if path.is_dir():
            record.write(path / "assets.extra" / FILE_NAME)
        else:
            from converter.formats.tflite import append_record

            append_record(path, record)
        from converter.engines.native import size_on_disk

        stage.detail = size(size_on_disk(path))
    result = Conversion(None, None, None, graph, declared, "onnx2tf")
    moved = [spec for spec in (*declared.inputs, *declared.outputs) if spec.permutation]
    result.notes += [f"onnx2tf put the channels last: {spec} is {spec.layout}" for spec in moved]
    return result


def run(
    python: str, graph: ir.Model, signature: Signature, folder: Path, options: Options
) -> Signature:
    """Run the worker; returns the signature of what it made."""
    import onnx_ir

    model = graph.clone()
    model.ir_version = min(model.ir_version or LARGEST_IR_VERSION, LARGEST_IR_VERSION)
    onnx_ir.save(model, folder / "model.onnx")
    job = {
        "model": str(folder / "model.onnx"),
        "folder": str(folder),
        "output": str(folder / "saved_model"),
        "tflite": str(folder / "model.tflite"),
        "result": str(folder / "result.json"),
        "to": options.to,
        "parent": os.getpid(),
        "inputs": {spec.name: list(spec.shape or ()) for spec in signature.inputs},
        "outputs": {spec.name: list(spec.shape or ()) for spec in signature.outputs},
    }
    (folder / "job.json").write_text(json.dumps(job))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    done = subprocess.run(
        [python, "-I", str(WORKER), str(folder / "job.json")],  # -I: not this folder's modules
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        check=False,
    )
    result = folder / "result.json"
    if done.returncode or not result.exists():
        raise RebuildError(
            f"onnx2tf could not convert the model: {last_words(done.stderr or done.stdout)}",
            hint="Use --engine native, or see what onnx2tf says of the .onnx (--to onnx) itself.",
        )
    moved = json.loads(result.read_text())
    return Signature(
        tuple(as_declared(spec, moved["inputs"][spec.name]) for spec in signature.inputs),
        tuple(as_declared(spec, moved["outputs"][spec.name]) for spec in signature.outputs),
        signature.dims,
        signature.conditions,
    )


def last_words(text: str) -> str:
    """Return the last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:500] if lines else "it ended without a word"


def as_declared(spec: TensorSpec, permutation: list[int] | None) -> TensorSpec:
    """Return a spec as onnx2tf permuted it."""
    if permutation is None or spec.shape is None or permutation == sorted(permutation):
        return spec
    shape = tuple(spec.shape[axis] for axis in permutation)
    layout = {3: "NWC", 4: "NHWC", 5: "NDHWC"}[len(shape)]
    return replace(spec, shape=shape, permutation=tuple(permutation), layout=layout)
