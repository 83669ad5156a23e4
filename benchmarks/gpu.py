"""``python -m benchmarks.gpu``: every zoo model on the CPU and on the GPU, in every runtime.

The same file runs in the same runtime on both devices, TF32 off, in worker processes. A line of the
table is one model in one runtime: the error that comes closest to its limit (the GPU's distance
from the exact result, where that is known, else from the CPU's) and that limit, both relative to
the largest element of the output, the source's own noise (CPU against float64), the verdict, and
the median time of a run with its inputs handed over, synchronised. Several comparisons run side by
side (``--jobs``), so the times are for orientation; ``--jobs 1`` gives undisturbed ones.

Exit codes: 0 all agree, or there is no GPU (it says so); 1 something does not agree; 2 bad usage.
Nothing is downloaded: the zoo's weights are seeded or trained here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from converter.errors import first_line
from converter.record import read
from verify.runtimes import KINDS
from zoo.registry import get, names

TIMEOUT = 300.0
"""Seconds for any one step of a side."""

BUDGET = "20s"
"""Of one comparison; the most telling inputs come first."""

CORES_PER_JOB = 3

WITHOUT_FILES = ("torchscript", "tensorflow")
"""Runtimes that could use a GPU and are left out: TorchScript's trace has the device written into
it, and a live `tf.Module` is in no file."""

PROBES = {
    "torch": "import torch; print(torch.cuda.is_available() and torch.cuda.get_device_name(0))",
    "tensorflow": "import tensorflow as tf; d = tf.config.list_physical_devices('GPU'); "
    "print(bool(d) and tf.config.experimental.get_device_details(d[0]).get('device_name', 'GPU'))",
    "onnx": "import onnxruntime as r; "
    "print('CUDAExecutionProvider' in r.get_available_providers() and 'CUDAExecutionProvider')",
}
"""Code that prints what a framework calls the GPU, or False."""


@dataclass(frozen=True)
class Cell:
    """One model in one runtime.

    Attributes:
        model: the zoo's name.
        framework: what the zoo built it in; "code" for the written source of an artifact.
        runtime: what runs it, on both devices.
        file: the model's file.
        options: further words for ``verify``: what builds it, what its inputs look like.
    """

    model: str
    framework: str
    runtime: str
    file: str
    options: tuple[str, ...] = ()


@dataclass
class Row:
    """What came of one cell; numbers are ``None`` where nothing was compared.

    Attributes:
        error: the one that comes closest to its limit, over all runs and outputs, relative to the
            output's largest value.
        noise: the source's own, measured against float64, where it was.
        limit: largest difference that passes, relative likewise.
        verdict: ``ok`` or the stage that it failed in.
        seconds: median seconds of a run on either device.
        reason: why it failed.
    """

    model: str
    framework: str
    runtime: str
    error: float | None = None
    noise: float | None = None
    limit: float | None = None
    verdict: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    reason: str = ""


def available(frameworks: set[str]) -> dict[str, str]:
    """Return what each framework calls its GPU, for those that see one."""
    found = {}
    for framework in sorted(frameworks):
        done = subprocess.run(
            [sys.executable, "-c", PROBES[framework]],
            capture_output=True, text=True, check=False,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )  # fmt: skip
        said = done.stdout.strip().splitlines()
        if done.returncode == 0 and said and said[-1] != "False":
            found[framework] = said[-1]
    return found


def pairs(models: list[str], runtimes: list[str]) -> list[tuple[str, str]]:
    """Return each model with each framework of its own, as far as a runtime has a use for it here.

    ONNX Runtime runs models of both frameworks; a framework that is not installed has none.
    """
    used = {KINDS[name].framework for name in runtimes}
    wanted = {"torch", "tensorflow"} if "onnx" in used else used
    here = {name for name in wanted if find_spec(name) is not None}
    own = {"torch": "torch", "tf": "tensorflow"}
    return [(name, side) for name in models for side in get(name).frameworks if own[side] in here]


def prepare(name: str, framework: str, folder: str, runtimes: list[str]) -> list[Cell]:
    """Write one model in every form that the runtimes need."""
    import converter
    from zoo.exporting import export

    side = get(name).side(framework)
    place = Path(folder) / f"{name}.{framework}"
    built = ("--model", side.build)
    spelled = tuple(word for text in side.inputs for word in ("--input", text))
    cells: list[Cell] = []

    def add(file: Path, options: tuple[str, ...], *able: str) -> None:
        wanted = [runtime for runtime in able if runtime in runtimes]
        cells.extend(Cell(name, framework, runtime, str(file), options) for runtime in wanted)

    if framework == "torch":
        weights = export(name, framework, place / "model.pt")
        source, options = weights, (*built, *spelled)
        add(weights, options, "torch", "torch_compile")
        if not side.weights_only:
            source, options = export(name, framework, place / "model.pt2"), ()
            add(source, options, "exported_program")
    else:
        source = export(name, framework, place / "model.keras")
        options = built if side.own_classes else ()
        add(source, options, "keras", "tensorflow_eager", "tensorflow_xla")
        if "saved_model" in runtimes:
            from zoo.loading import load

            load(name, framework).export(str(place / "saved_model"), verbose=False)
            add(place / "saved_model", (), "saved_model")
    if {"onnxruntime", "onnxruntime_unoptimised"} & set(runtimes):
        graph = place / "model.onnx"
        factory = side.build if "--model" in options else None
        converter.convert(
            source, "onnx", output=graph, verify=False, factory=factory,
            inputs=side.inputs if "--input" in options else None,
        )  # fmt: skip
        add(graph, (), "onnxruntime", "onnxruntime_unoptimised")
    return cells


def of_artifact(folder: Path, runtimes: list[str]) -> list[Cell]:
    """Return what ``convert --to torch`` wrote: the program, and the source code beside it."""
    able = [name for name in ("exported_program", "torch_compile") if name in runtimes]
    cells = [Cell(folder.name, "torch", name, str(folder)) for name in able]
    module = folder / "source" / "model.py"
    if module.is_file():
        record = read(folder / "equiport.json")
        options = ["--model", f"{module}:load"]
        for spec in record.signature.inputs if record else ():
            options += ["--input", f"{spec.name}:{spec.dtype}[{','.join(map(str, spec.shape))}]"]
        weights = str(module.with_name("model.safetensors"))
        cells += [
            Cell(folder.name, "code", name, weights, tuple(options))
            for name in ("torch", "torch_compile")
            if name in runtimes
        ]
    return cells


def compare(cell: Cell, device: str, folder: str) -> Row:
    """Run ``verify`` on one cell, the CPU against ``device``."""
    row = Row(cell.model, cell.framework, cell.runtime)
    report = Path(folder) / f"{cell.model}.{cell.framework}.{cell.runtime}.json"
    command = [
        sys.executable, "-m", "verify.cli", cell.file, cell.file, "--runtime", cell.runtime,
        "--device", "a=cpu", "--device", f"b={device}", "--seeds", "1", "--latency",
        "--budget", BUDGET, "--no-weights", "--no-locate", "--no-frozen",
        "--timeout", str(TIMEOUT), "--quiet", f"--json={report}", *cell.options,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if not report.is_file():
        words = [line for line in done.stderr.splitlines() if line.startswith("Error")]
        row.verdict, row.reason = "error", (words or done.stderr.splitlines() or [""])[-1][:200]
        return row
    fill(row, json.loads(report.read_text()))
    return row


def fill(row: Row, report: dict[str, Any]) -> None:
    """Take a row's numbers from a report."""
    outputs = [float_of(item) for run in report["runs"] for item in run["outputs"].values()]
    if outputs:
        worst = max(outputs, key=lambda item: item["error"] / item["limit"])
        row.error, row.limit, row.noise = worst["error"], worst["limit"], worst["noise"]
    failed = [run for run in report["runs"] if run["stage"] not in ("ok", "refused")]
    row.verdict = "ok" if report["passed"] else (failed[0]["stage"] if failed else "failed")
    row.reason = "" if report["passed"] else (report["failures"] or [""])[0][:200]
    if report["latency"] is not None:
        row.seconds = {label: report["latency"][label]["median"] for label in "ab"}


def float_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return one output's numbers; the limit is of ``error`` where the noise was measured."""
    absolute, relative = float(item["max_abs"]), float(item["max_rel"])
    largest = absolute / relative if relative > 0 else 1.0
    error = relative if item["error"] is None else float(item["error"]) / largest
    limit = max(float(item["limit"]) / largest, 1e-30)
    return {"error": error, "limit": limit, "noise": item["noise"]}


def rows(
    models: list[str],
    artifacts: list[Path],
    runtimes: list[str],
    device: str,
    jobs: int,
    seconds: float,
) -> Iterator[Row]:
    """Prepare and compare everything, side by side; rows come as they are finished.

    Args:
        seconds: after these nothing more is begun; what is left is told in rows of its own.
    """
    start = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="equiport-gpu-") as folder,
        # A fresh process for each model: two frameworks in one process share badly.
        ProcessPoolExecutor(jobs, get_context("spawn"), max_tasks_per_child=1) as preparing,
        ThreadPoolExecutor(jobs) as comparing,
    ):
        prepared = {
            pair: preparing.submit(prepare, *pair, folder, runtimes)
            for pair in pairs(models, runtimes)
        }
        pending: list[Future[Row]] = []

        def begin(cell: Cell) -> Row:
            if time.monotonic() - start > seconds:
                late = Row(cell.model, cell.framework, cell.runtime, verdict="left out")
                late.reason = f"{seconds:g} s had passed"
                return late
            return compare(cell, device, folder)

        for place in artifacts:
            pending += [comparing.submit(begin, cell) for cell in of_artifact(place, runtimes)]
        for (name, framework), future in prepared.items():
            try:
                pending += [comparing.submit(begin, cell) for cell in future.result()]
            except Exception as error:  # whatever it is, the other models go on
                reason = f"{type(error).__name__}: {first_line(error, 160)}"
                yield Row(name, framework, "-", verdict="not prepared", reason=reason)
        for done in pending:
            yield done.result()


HEADINGS = ("model", "from", "runtime", "error", "noise", "limit", "verdict", "cpu ms", "b ms", "x")
WIDTHS = (30, 5, 24, 8, 8, 8, 12, 9, 9, 6)


def line(values: tuple[str, ...]) -> str:
    """Return one line of the table."""
    cells = [
        text.ljust(width) if index in (0, 1, 2, 6) else text.rjust(width)
        for index, (text, width) in enumerate(zip(values, WIDTHS, strict=True))
    ]
    return " ".join(cells).rstrip()


def text_of(row: Row) -> str:
    """Return one row as text."""
    numbers = [f"{value:.1e}" if value is not None else "-"
               for value in (row.error, row.noise, row.limit)]  # fmt: skip
    times = ["-", "-", "-"]
    if len(row.seconds) == 2:
        a, b = row.seconds["a"], row.seconds["b"]
        times = [f"{1e3 * a:.2f}", f"{1e3 * b:.2f}", f"{a / b:.2f}"]
    text = line((row.model, row.framework, row.runtime, *numbers, row.verdict, *times))
    return f"{text}\n    {row.reason}" if row.reason else text


def main(arguments: list[str] | None = None) -> int:
    """Print the table; returns the exit code."""
    options = parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # for the processes that prepare
    usable = [name for name, kind in KINDS.items() if kind.gpu and name not in WITHOUT_FILES]
    unknown = [name for name in options.models or () if name not in names()]
    unknown += [name for name in options.runtimes or () if name not in usable]
    if unknown:
        print(f"there is no {unknown[0]!r} here: the models are {', '.join(names())}; the runtimes "
              f"that can use a GPU are {', '.join(usable)}", file=sys.stderr)  # fmt: skip
        return 2
    runtimes = options.runtimes or usable
    if options.device_b != "cpu":
        gpus = available({KINDS[name].framework for name in runtimes})
        for framework, name in gpus.items():
            print(f"{framework}: {name}")
        blind = [name for name in runtimes if KINDS[name].framework not in gpus]
        if blind:
            print(f"no GPU is seen by what these need: {', '.join(blind)}")
        runtimes = [name for name in runtimes if name not in blind]
    if not runtimes:
        print("There is no GPU here, so nothing was compared; --device-b cpu tries the machinery.")
        return 0
    print(f"a: cpu, b: {options.device_b}, {options.jobs} side by side\n{line(HEADINGS)}")
    found = []
    models = options.models or ([] if options.artifacts else list(names()))
    for row in rows(
        models, options.artifacts, runtimes, options.device_b, options.jobs, options.seconds
    ):
        found.append(row)
        print(text_of(row), flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in found], indent=1) + "\n")
    bad = sum(row.verdict != "ok" for row in found)
    print(f"{len(found) - bad} of {len(found)} agree")
    return 1 if bad or not found else 0


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    result = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("--models", nargs="+", metavar="NAME", help="all by default")
    result.add_argument(
        "--artifacts", nargs="+", type=Path, default=[], metavar="FOLDER",
        help="what convert --to torch wrote, instead of the zoo's models (or beside --models)",
    )  # fmt: skip
    result.add_argument("--runtimes", nargs="+", metavar="NAME", help="all by default")
    result.add_argument("--device-b", default="cuda", help="cuda, cuda:1; cpu tries the machinery")
    cores = os.cpu_count() or 1
    result.add_argument("--jobs", type=int, default=max(1, cores // CORES_PER_JOB))
    result.add_argument("--seconds", type=float, default=420.0, help="begin nothing after these")
    result.add_argument("--json", type=Path, metavar="FILE", help="write the rows")
    return result


if __name__ == "__main__":
    sys.exit(main())
