"""Seconds until a command answers, beside an interpreter that does nothing.

``python -m benchmarks.startup``: the median of interleaved runs.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

REPEATS = 15
BIN = Path(sys.executable).parent
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "convert --help": [str(BIN / "convert"), "--help"],
    "verify --help": [str(BIN / "verify"), "--help"],
    "zoo --help": [str(BIN / "zoo"), "--help"],
    "zoo list": [str(BIN / "zoo"), "list"],
}


def main() -> None:
    """Time every command in turns and print the table."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(REPEATS):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, capture_output=True, check=True)
            seconds[name].append(time.perf_counter() - start)
    base = statistics.median(seconds["python -c pass"])
    for name, each in seconds.items():
        median = statistics.median(each)
        print(f"{name:<16} {median:6.3f} s  {median / base:5.1f} x")


if __name__ == "__main__":
    main()
