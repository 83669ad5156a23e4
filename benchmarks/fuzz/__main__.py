"""``python -m benchmarks.fuzz --cases 3000 --seed 1``: run random cases and say what came of them.

Half of the cases are PyTorch programs, half TensorFlow. They run in a worker process, which is
started again when it dies or hangs.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.fuzz.kinds import CRASH, INVALID, TIMEOUT
from benchmarks.fuzz.table import table

SECONDS = 120.0
"""Limit of one case."""

EACH = 400
"""Cases that one worker runs; a fresh one then keeps memory low."""


class Worker:
    """The process that runs cases."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.done, self.rest = 0, b""

    def run(self, line: str) -> dict[str, Any]:
        """Run one case; a crash and a hang are outcomes."""
        if self.process is None or self.done >= EACH:
            self.stop()
            self.process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.fuzz.worker"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1",
                                  "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"},
            )  # fmt: skip
            self.done = 0
        self.done += 1
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        deadline = time.monotonic() + SECONDS
        case: dict[str, Any] = {}
        while "kind" not in case:
            case |= self.answer(deadline)
        if case["kind"] == CRASH and "ran" not in case:
            case["kind"] = INVALID  # the source itself ends the process
        return case

    def answer(self, deadline: float) -> dict[str, Any]:
        """Return the next line of the worker."""
        assert self.process is not None
        assert self.process.stdout is not None
        pipe = self.process.stdout.fileno()
        while b"\n" not in self.rest:
            if not select.select([pipe], [], [], max(0, deadline - time.monotonic()))[0]:
                self.stop()
                return {"kind": TIMEOUT, "cause": "timeout", "detail": f"{SECONDS} s"}
            read = os.read(pipe, 1 << 16)
            if not read:
                code = self.process.wait()
                self.stop()
                return {"kind": CRASH, "cause": f"exit code {code}", "detail": ""}
            self.rest += read
        line, _, self.rest = self.rest.partition(b"\n")
        return dict(json.loads(line))

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process, self.rest = None, b""


def main() -> int:
    """Run the cases; ends with 1 if one went wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=None, help="drawn and printed if left out")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--framework", choices=("torch", "tensorflow", "both"), default="both")
    parser.add_argument("--json", type=Path, default=None, help="one line of JSON a case")
    parser.add_argument("--no-shrink", action="store_true")
    parser.add_argument("--plant", default=None, help="a fault of benchmarks/fuzz/plant.py")
    parser.add_argument("--read", type=Path, default=None, help="print the table of a --json file")
    options = parser.parse_args()
    if options.read:
        text, bad = table([json.loads(line) for line in options.read.read_text().splitlines()])
        print(text)
        return 1 if bad else 0
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(3))
    if options.plant:
        os.environ["FUZZ_PLANT"] = options.plant
    print(f"seed {seed}", flush=True)
    names = ("torch", "tensorflow") if options.framework == "both" else (options.framework,)
    worker, outcomes = Worker(), []
    out = options.json.open("w") if options.json else None
    try:
        for index in range(options.first, options.first + options.cases // len(names)):
            for name in names:
                shrunk = 0 if options.no_shrink else 1
                outcome = worker.run(f"{name} {seed} {index} {shrunk}") | {"framework": name}
                outcomes.append(outcome)
                if out is not None:
                    out.write(json.dumps(outcome) + "\n")
                    out.flush()
    except KeyboardInterrupt:
        print(f"stopped after {len(outcomes)} cases")
    finally:
        worker.stop()
    text, bad = table(outcomes)
    print(text)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
