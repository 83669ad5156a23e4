"""Run the exam: every model in a process of its own, every verdict a line of a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.mutants.judge import Judge, Verdict
from benchmarks.mutants.models import subject
from benchmarks.mutants.plant import Place, drawn, places, plant

CAPS = ((200, 8), (700, 3))
"""Most places per kind in a model of up to so many nodes; one in larger ones."""


def cap_of(nodes: int, wanted: int | None) -> int:
    """Return at how many places of a model each kind is planted at most."""
    if wanted is not None:
        return wanted
    return next((cap for most, cap in CAPS if nodes <= most), 1)


def judged(
    name: str, kinds: Iterable[str] | None, cap: int | None, seed: int, done: set[Place]
) -> Iterator[dict[str, Any]]:
    """Plant and judge in one model; gives a line of data for each fault, and one of the model."""
    start = time.perf_counter()
    model = subject(name)
    found = places(model.graph, model.facts, kinds)
    chosen = drawn(found, cap_of(model.nodes, cap), seed)
    yield {
        "about": name, "nodes": model.nodes, "places": len(found), "drawn": len(chosen),
        "seed": seed,
    }  # fmt: skip
    judge = Judge(model)
    clean = judge.report.passed
    yield {
        "about": name, "clean": clean, "failures": judge.report.failures,
        "ready_after": round(time.perf_counter() - start, 1),
    }  # fmt: skip
    for place in chosen:
        if place not in done:
            yield one(judge, place, seed).to_data()


def one(judge: Judge, place: Place, seed: int) -> Verdict:
    """Plant one fault and judge it."""
    start = time.perf_counter()
    verdict = judge.judge(plant(judge.subject.graph, judge.subject.facts, place, seed))
    verdict.seconds = round(time.perf_counter() - start, 3)
    return verdict


def read(file: Path) -> tuple[list[Verdict], dict[str, dict[str, Any]]]:
    """Read a file of lines: the verdicts, and what is known of each model."""
    verdicts: dict[tuple[str, Place], Verdict] = {}
    about: dict[str, dict[str, Any]] = {}
    for line in file.read_text().splitlines() if file.exists() else ():
        data = json.loads(line)
        if "about" in data:
            about.setdefault(data.pop("about"), {}).update(data)
            continue
        verdict = Verdict(**data)
        verdicts[verdict.model, _place(verdict)] = verdict
    return list(verdicts.values()), about


def run_model(
    name: str, file: Path, kinds: Iterable[str] | None, cap: int | None, seed: int
) -> None:
    """Judge one model in this process, and append to the file what it does not have yet."""
    done = {_place(verdict) for verdict in read(file)[0] if verdict.model == name}
    with file.open("a") as out:
        for data in judged(name, kinds, cap, seed, done):
            out.write(json.dumps(data) + "\n")
            out.flush()


def run(models: list[str], arguments: list[str], file: Path, jobs: int) -> None:
    """Judge models side by side, each in a process of its own.

    A fault that ends its process is written down as one, and the model taken up again.

    Args:
        arguments: what the processes are told beside their model's name.
    """
    environment = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1",
                   "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3",
                   "CUDA_VISIBLE_DEVICES": "-1"}  # fmt: skip
    waiting = list(reversed(models))
    running: dict[str, tuple[subprocess.Popen[bytes], Path, Any, float]] = {}
    folder = file.with_suffix(".parts")
    folder.mkdir(exist_ok=True)
    while waiting or running:
        while waiting and len(running) < jobs:
            name = waiting.pop()
            part = folder / f"{name.replace(' ', '.')}.jsonl"
            command = [sys.executable, "-m", "benchmarks.mutants", "--model", name, "--json", part]
            log = part.with_suffix(".log").open("wb")
            process = subprocess.Popen(
                [*map(str, command), *arguments], env={**os.environ, **environment},
                stdout=log, stderr=log,
            )  # fmt: skip
            running[name] = process, part, log, time.perf_counter()
        time.sleep(0.2)
        for name, (process, part, log, start) in list(running.items()):
            if process.poll() is None:
                continue
            log.close()
            del running[name]
            verdicts, about = read(part)
            _say(name, verdicts, about.get(name, {}), time.perf_counter() - start)
            if process.returncode:
                tail = log.name and Path(log.name).read_text(errors="replace").splitlines()[-1:]
                print(f"  {name} ended with status {process.returncode}: {tail}", flush=True)
    with file.open("w") as out:
        for part in sorted(folder.glob("*.jsonl")):
            out.write(part.read_text())


def _say(name: str, verdicts: list[Verdict], about: dict[str, Any], seconds: float) -> None:
    alive = [verdict for verdict in verdicts if verdict.runs]
    changed = [verdict for verdict in alive if verdict.changed]
    caught = [verdict for verdict in changed if verdict.caught]
    print(
        f"{name:<32} {about.get('nodes', 0):5} nodes {about.get('places', 0):6} places "
        f"{len(verdicts):5} planted {len(alive):5} run {len(changed):5} change something "
        f"{len(caught):5} caught {seconds:6.0f} s" + ("" if about.get("clean") else "  NOT CLEAN"),
        flush=True,
    )


def _place(verdict: Verdict) -> Place:
    return Place(verdict.kind, verdict.node, verdict.ordinal)
