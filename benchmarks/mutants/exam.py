"""The exam of one model: every fault planted and judged, every verdict a line of a file."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.mutants.judge import Judge, Verdict
from benchmarks.mutants.models import subject
from benchmarks.mutants.plant import Place, drawn, places, plant
from benchmarks.mutants.processes import lines

CAPS = ((200, 4), (700, 2))
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
    return _sorted(lines(file))


def _sorted(found: list[dict[str, Any]]) -> tuple[list[Verdict], dict[str, dict[str, Any]]]:
    verdicts: dict[tuple[str, Place], Verdict] = {}
    about: dict[str, dict[str, Any]] = {}
    for line in found:
        if "about" in line:
            about.setdefault(line["about"], {}).update(line)
            continue
        verdict = Verdict(**line)
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


def say(name: str, lines: list[dict[str, Any]], seconds: float) -> None:
    """Print one line on a model that is done."""
    verdicts, about = _sorted(lines)
    alive = [verdict for verdict in verdicts if verdict.runs]
    changed = [verdict for verdict in alive if verdict.changed]
    caught = [verdict for verdict in changed if verdict.caught]
    facts = about.get(name, {})
    print(
        f"{name:<32} {facts.get('nodes', 0):5} nodes {facts.get('places', 0):6} places "
        f"{len(verdicts):5} planted {len(alive):5} run {len(changed):5} change something "
        f"{len(caught):5} caught {seconds:6.0f} s" + ("" if facts.get("clean") else "  NOT CLEAN"),
        flush=True,
    )


def _place(verdict: Verdict) -> Place:
    return Place(verdict.kind, verdict.node, verdict.ordinal)
