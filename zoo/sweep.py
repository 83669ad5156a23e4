"""Convert every model of the zoo in every direction, each in a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from converter.errors import OutputError, UsageError
from converter.temporary import TemporaryFolder
from zoo.case import Outcome
from zoo.registry import get, names

TIMEOUT = 900.0
"""Seconds after which a conversion is given up."""


def cases(pattern: str | None = None) -> list[tuple[str, str, str]]:
    """Return ``(name, from, to)`` of every conversion whose label contains ``pattern``.

    Args:
        pattern: part of ``name:from->to``; ``*`` and ``?`` stand for anything.

    Raises:
        UsageError: nothing fits.
    """
    found = [
        (name, source, target)
        for name in names()
        for source, target in get(name).directions
        if pattern is None or fnmatch(f"{name}:{source}->{target}", f"*{pattern}*")
    ]
    if not found:
        raise UsageError(
            f"no model of the zoo fits the filter {pattern!r}",
            hint="It is matched against names such as unet:torch->tf; `zoo list` prints all.",
        )
    return found


def sweep(
    wanted: Iterable[tuple[str, str, str]],
    results: Path,
    *,
    resume: bool = False,
    timeout: float = TIMEOUT,
) -> Iterator[tuple[Outcome, bool]]:
    """Run each conversion and append its outcome to ``results``, one JSON object per line.

    Args:
        wanted: what `cases` returned.
        resume: take the outcomes of conversions that passed from ``results`` and run the rest.
        timeout: seconds for each.

    Yields:
        Each outcome, and whether it was taken from the file.

    Raises:
        OutputError: ``results`` exists and ``resume`` is off, or it cannot be written.
    """
    done = {}
    if resume:
        done = {outcome.label: outcome for outcome in recorded(results)}
    elif results.exists():
        raise OutputError(
            f"the results {results} exist already",
            hint="Continue them with --resume, or choose another file with --results.",
        )
    for name, source, target in wanted:
        old = done.get(f"{name}:{source}->{target}")
        if old is not None and old.passed:
            yield old, True
            continue
        outcome = isolated(name, source, target, timeout)
        append(outcome, results)
        yield outcome, False


def recorded(results: Path) -> list[Outcome]:
    """Read the outcomes in a file; lines cut short by an interruption count as not run."""
    if not results.is_file():
        return []
    outcomes = []
    for line in results.read_text().splitlines():
        try:
            outcomes.append(Outcome.from_json(json.loads(line)))
        except (ValueError, TypeError):
            continue
    return outcomes


def append(outcome: Outcome, results: Path) -> None:
    """Add one line, on a line of its own even behind one that was cut short.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        results.parent.mkdir(parents=True, exist_ok=True)
        with results.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(json.dumps(outcome.to_json()).encode() + b"\n")
    except OSError as error:
        raise OutputError(f"{results} cannot be written: {error.strerror}") from error


def isolated(name: str, source: str, target: str, timeout: float = TIMEOUT) -> Outcome:
    """Run one conversion in a process of its own; a crash or a hang is an outcome, too."""
    start = time.monotonic()
    with TemporaryFolder() as folder:
        result = folder / "outcome.json"
        command = [sys.executable, "-m", "zoo.case", name, source, str(result)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        problem = ""
        with tempfile.TemporaryFile() as noise:
            try:
                code = subprocess.run(
                    command,
                    env=environment,
                    stdout=noise,
                    stderr=noise,
                    stdin=subprocess.DEVNULL,
                    timeout=timeout,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                problem = f"gave no result within {timeout:g} s"
            else:
                if code or not result.is_file():
                    noise.seek(0)
                    problem = last_line(noise.read().decode(errors="replace"), code)
        if not problem:
            return Outcome.from_json(json.loads(result.read_text()))
    seconds = round(time.monotonic() - start, 2)
    return Outcome(name, source, target, problems=[problem], seconds=seconds)


def last_line(text: str, code: int) -> str:
    """Say how a process ended that left no outcome."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = f": {lines[-1]}" if lines else ""
    return (
        f"the process was killed by signal {-code}{said}"
        if code < 0
        else (f"the process ended with code {code}{said}")
    )
