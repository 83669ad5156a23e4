"""``python -m benchmarks.mutants.clean``: right conversions, of which none may be called wrong.

Each model in float32, float16 and bfloat16 is compared, on several seeds, scales and sizes, with
other runtimes and with rewrites of its graph; the weight proof and the comparison node by node
look at each rewrite, too.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx_ir as ir

from benchmarks.mutants.models import TYPICAL, Subject, subject
from benchmarks.mutants.recorded import RecordedExecutions, RecordedSide
from benchmarks.mutants.variants import BRAIN, HALF, SINGLE, Variant
from converter.errors import EquiportError, first_line
from verify.aside import Aside
from verify.inputs import random_inputs

PRECISIONS: dict[str, tuple[ir.DataType, dict[str, Variant]]] = {
    "float32": (ir.DataType.FLOAT, SINGLE),
    "float16": (ir.DataType.FLOAT16, HALF),
    "bfloat16": (ir.DataType.BFLOAT16, BRAIN),
}
SLOW_REFERENCE = 120
"""ONNX's reference evaluator is left out for graphs of more nodes than this."""


def compared(name: str, seeds: int, seed: int) -> Iterator[dict[str, Any]]:
    """Compare one model with each of its right conversions; gives a line of data for each."""
    whole, aside = subject(name), Aside()
    for precision, (dtype, variants) in PRECISIONS.items():
        model = _in_precision(whole, dtype)
        source = RecordedSide("a", model.source)
        runs: Any = None
        for title, variant in variants.items():
            if title == "ONNX reference" and model.nodes > SLOW_REFERENCE:
                continue
            start = time.perf_counter()
            line = {"model": name, "precision": precision, "variant": title}
            try:
                if runs is None:
                    from verify.executions import executions

                    runs = RecordedExecutions(executions(model.graph))
                target, wanted = variant(model.graph)
                line |= _compare(model, source, target, wanted, runs, aside, seeds, seed)
            except Exception as error:  # this runtime has no kernel for this graph
                line["left_out"] = f"{type(error).__name__}: {first_line(error)}"
            yield line | {"seconds": round(time.perf_counter() - start, 2)}


def _in_precision(whole: Subject, dtype: ir.DataType) -> Subject:
    if dtype == ir.DataType.FLOAT:
        return whole
    from benchmarks.mutants.narrow import narrowed
    from converter.graph.bounds import with_bounds
    from converter.graph.signatures import signature_of
    from converter.rebuild.pytorch import build

    graph = narrowed(whole.graph, dtype)
    signature = with_bounds(signature_of(graph), graph)
    return Subject(whole.name, build(graph), graph, whole.facts, signature, whole.sizes,
                   whole.nodes)  # fmt: skip


def _compare(
    model: Subject, source: RecordedSide, target: Any, wanted: list[str],
    runs: RecordedExecutions, aside: Aside, seeds: int, seed: int,
) -> dict[str, Any]:  # fmt: skip
    from verify.arguments import Options
    from verify.job import Job
    from verify.report.result import Stage
    from verify.sides import LiveSide
    from verify.tolerance import tolerance

    options = Options(
        tolerance=tolerance(), seeds=seeds, rename={}, ignore=(), sizes=dict(model.sizes),
        latency=False, max_slowdown=None, noise={}, graph=model.graph, progress=lambda text: None,
        frozen=False, locate=False, seed=seed,
    )  # fmt: skip
    if isinstance(target, ir.Model):  # ends this process where ONNX Runtime ends its own
        aside.run("onnxruntime", target, random_inputs(model.signature, TYPICAL, 0))
    side = LiveSide("b", target, wanted, "cpu")
    with tempfile.TemporaryDirectory(prefix="equiport-clean-") as folder:
        job = Job(source, side, options, Path(folder), aside, executions=runs)
        try:
            report = job.run(model.signature, None, None)
        finally:
            side.close()
    stages = Counter(run.stage.value for run in report.runs)
    refused = [run for run in report.runs if run.stage.failed and run.stage is not Stage.MISMATCH]
    if refused and not any(run.stage is Stage.MISMATCH for run in report.runs):
        return {"left_out": refused[0].reason, "stages": stages}
    line: dict[str, Any] = {"stages": stages, "alarms": report.failures}
    line["compared"] = sum(run.stage in (Stage.OK, Stage.MISMATCH) for run in report.runs)
    line["measured"] = not any("fixed limits" in text for text in report.findings)
    if isinstance(target, ir.Model):
        line["alarms"] = line["alarms"] + _inside(model, target, seed)
    return line


def _inside(model: Subject, target: ir.Model, seed: int) -> list[str]:
    """Compare node by node and return where it finds an error, or why it cannot."""
    from verify.locate import locate_graphs

    try:
        inputs = random_inputs(model.signature, TYPICAL, seed)
        depth = locate_graphs(model.graph, target, inputs)
    except (EquiportError, ValueError, RuntimeError) as error:
        return [f"node by node: not compared: {error}"]
    return [f"node by node: {node.node} ({node.op})" for node in depth.origins]


def main(arguments: list[str] | None = None) -> int:
    """Run the comparisons and print the table; 0 if there is no false alarm."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants.clean", description=__doc__)
    parser.add_argument("--models", nargs="+", metavar="NAME", help="models to compare (all)")
    parser.add_argument("--seeds", type=int, default=8, help="random inputs, at least (8)")
    parser.add_argument("--seed", type=int, help="the first of them (drawn, and printed)")
    parser.add_argument("--jobs", type=int, default=2, help="models compared side by side (2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write JSON lines")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted --json")
    parser.add_argument("--model", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    from benchmarks.mutants.models import names
    from benchmarks.mutants.processes import lines, side_by_side

    if options.model:
        with options.json.open("a") as out:
            for line in compared(options.model, options.seeds, options.seed):
                out.write(json.dumps(line) + "\n")
                out.flush()
        return 0
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="equiport-clean-") as folder:
        file = options.json or Path(folder) / "clean.jsonl"
        seed = secrets.randbits(31) if options.seed is None else options.seed
        print(f"seed {seed}", flush=True)
        told = ["--seeds", str(options.seeds), "--seed", str(seed)]
        side_by_side("benchmarks.mutants.clean", options.models or names(), told, file,
                     options.jobs, options.resume, _say)  # fmt: skip
        found = lines(file)
    alarms = _print(found)
    print(f"\n{time.perf_counter() - start:.0f} seconds")
    return 1 if alarms else 0


def _say(name: str, found: list[dict[str, Any]], seconds: float) -> None:
    count = sum(line.get("compared", 0) for line in found)
    alarms = sum(len(line.get("alarms", ())) for line in found)
    print(f"{name:<32} {count:5} comparisons {alarms:3} false alarms {seconds:6.0f} s", flush=True)


def _print(found: list[dict[str, Any]]) -> int:
    """Print a table by precision and variant, and return the number of false alarms."""
    print(f"\n{'':<10} {'':<28} models comparisons false alarms left out")
    for precision in PRECISIONS:
        for variant in dict.fromkeys(line["variant"] for line in found):
            some = [x for x in found if (x["precision"], x["variant"]) == (precision, variant)]
            done = [line for line in some if "left_out" not in line]
            if some:
                print(
                    f"{precision:<10} {variant:<28} {len(done):6} "
                    f"{sum(line['compared'] for line in done):11} "
                    f"{sum(len(line['alarms']) for line in done):12} {len(some) - len(done):8}"
                )
    done = [line for line in found if "left_out" not in line]
    alarms = sum(len(line["alarms"]) for line in done)
    models = {line["model"] for line in done}
    print(
        f"\n{sum(line['compared'] for line in done)} comparisons of {len(models)} models, "
        f"{alarms} false alarms"
    )
    unmeasured = [line for line in done if not line["measured"]]
    if unmeasured:
        count = sum(line["compared"] for line in unmeasured)
        print(f"{count} of them by the fixed limits: their noise could not be measured")
    for line in done:
        for alarm in line["alarms"]:
            where = f"{line['model']}, {line['precision']}, {line['variant']}"
            print(f"FALSE ALARM: {where}: {alarm}")
    reasons = Counter(
        (line["precision"], line["variant"], line["left_out"][:110])
        for line in found if "left_out" in line
    )  # fmt: skip
    for (precision, variant, reason), count in sorted(reasons.items()):
        print(f"left out: {precision}, {variant}, {count} times: {reason}")
    return alarms


if __name__ == "__main__":
    sys.exit(main())
