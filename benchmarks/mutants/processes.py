"""Work on models side by side, each in a process of its own that writes lines of JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
}
"""One thread each: as many processes as there are cores do not get into each other's way."""

Lines = list[dict[str, Any]]


def side_by_side(
    module: str, models: list[str], arguments: list[str], file: Path, jobs: int, resume: bool,
    say: Callable[[str, Lines, float], None],
) -> None:  # fmt: skip
    """Run ``python -m module --model NAME --json PART`` for each model, and join the parts.

    The parts lie in a folder beside the file; with ``resume`` models that are done are left as
    they are, and the others go on.

    Args:
        arguments: what each process is told besides.
        say: called with a model's name, its lines and the seconds it took, when it is done.
    """
    folder = file.with_suffix(".parts")
    if not resume:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    waiting = list(reversed(models))
    running: dict[str, tuple[subprocess.Popen[bytes], Path, float]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                name = waiting.pop()
                part = folder / f"{name.replace(' ', '.')}.jsonl"
                if part.with_suffix(".done").exists():
                    continue
                running[name] = _start(module, name, part, arguments), part, time.perf_counter()
            time.sleep(0.2)
            for name, (process, part, start) in list(running.items()):
                if process.poll() is None:
                    continue
                del running[name]
                say(name, lines(part), time.perf_counter() - start)
                if process.returncode == 0:
                    part.with_suffix(".done").touch()
                    continue
                log = part.with_suffix(".log").read_text(errors="replace").splitlines()
                tail = log[-1] if log else ""
                print(f"  {name} ended with status {process.returncode}: {tail}", flush=True)
    finally:
        for process, _, _ in running.values():
            process.kill()
    file.write_text("".join(part.read_text() for part in sorted(folder.glob("*.jsonl"))))


def lines(file: Path) -> Lines:
    """Read a file of JSON lines; nothing if there is none."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text().splitlines()]


def _start(module: str, name: str, part: Path, arguments: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", module, "--model", name, "--json", str(part), *arguments]
    with part.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(command, env={**os.environ, **ENVIRONMENT}, stdout=log, stderr=log)
