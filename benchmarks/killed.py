"""`convert` killed with SIGKILL at random moments: nothing half-made, and nothing left for good.

``python -m benchmarks.killed``: 50 times, over all targets in turns. After each kill: no process of
it lives on; the output is not there, or is whole. After the next run on that output: nothing beside
the output, and nothing in the folder for temporary files.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
OUTPUTS = {
    "tf": "out",
    "torch": "out",
    "keras": "out.keras",
    "tflite": "o.tflite",
    "onnx": "o.onnx",
}
PATIENCE = 20.0
"""Seconds in which the processes of a killed run must be gone."""


@dataclass
class Place:
    """Where one target is written, again and again.

    Attributes:
        folder: of the outputs.
        temporary: `TMPDIR` of its runs; it also tells which processes are theirs.
        seconds: of a whole run.
        whole: what a whole run gives, by relative path.
        foreign: names that a whole run leaves in `TMPDIR`: ONNX Runtime's `.ses`.
    """

    target: str
    folder: Path
    temporary: Path
    seconds: float = 0.0
    whole: dict[str, bytes] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)

    @property
    def output(self) -> Path:
        return self.folder / OUTPUTS[self.target]

    def start(self, *more: str) -> subprocess.Popen[bytes]:
        """Start a conversion; standard error tells its stages."""
        command = [sys.executable, "-m", "converter.cli", "model.onnx", "--to", self.target]
        return subprocess.Popen(
            [*command, "-o", str(self.output), *more],
            cwd=self.folder.parent, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            env=os.environ | {"TMPDIR": str(self.temporary), "PYTHONPATH": str(HERE)},
        )  # fmt: skip

    def run(self, *more: str) -> str:
        """Convert to the end; returns what it said.

        Raises:
            SystemExit: it failed.
        """
        process = self.start(*more)
        said = process.communicate()[1].decode()
        if process.returncode:
            sys.exit(f"--to {self.target}: {said}")
        return said

    def made(self) -> dict[str, bytes]:
        """Return the files of the output."""
        files = [self.output] if self.output.is_file() else self.output.rglob("*")
        return {str(f.relative_to(self.folder)): f.read_bytes() for f in files if f.is_file()}

    def alive(self) -> list[int]:
        """Return the processes that were started with this place's `TMPDIR`."""
        wanted = f"TMPDIR={self.temporary}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
        return found

    def remains(self) -> list[Path]:
        """Return all that lies about beside the output."""
        beside = [path for path in self.folder.iterdir() if path != self.output]
        return beside + [p for p in self.temporary.iterdir() if p.name not in self.foreign]

    def remove(self) -> None:
        """Remove the output."""
        shutil.rmtree(self.output, ignore_errors=True)
        self.output.unlink(missing_ok=True)


def killed(place: Place, after: float) -> tuple[str, list[str]]:
    """Kill a conversion after so many seconds; returns its last words, and what is wrong."""
    process = place.start()
    assert process.stderr is not None
    time.sleep(after)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    end, problems = time.monotonic() + PATIENCE, []
    while (left := place.alive()) and time.monotonic() < end:
        time.sleep(0.05)
    if left:
        problems.append(f"processes that live on: {left}")
    lines = process.stderr.read().decode().splitlines()
    if place.output.exists() and place.made() != place.whole:
        problems.append(f"half-made: {sorted(place.made())}")
    place.remove()
    remains = place.remains()
    said = place.run("--no-verify")
    problems += [f"left: {path.name}" for path in place.remains()]
    hidden = [path for path in remains if path.parent == place.folder]
    problems += [f"not said: {path.name}" for path in hidden if path.name not in said]
    place.remove()
    at = lines[-1].split()[0] if lines else "start"
    return f"after {at:<8} {len(remains)} folders were left", problems


def write_model(path: Path) -> None:
    """Write a convolution and a linear layer, enough for every target."""
    import torch
    from torch import nn

    import converter

    torch.manual_seed(0)
    layers = nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)
    converter.convert(
        nn.Sequential(*layers).eval(), "onnx", inputs="input:float32[batch,3,8,8]", output=path,
        verify=False,
    )  # fmt: skip


def main() -> None:
    """Kill, look, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--to", action="append", choices=OUTPUTS, help="only these targets")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    generator, wrong = random.Random(given.seed), 0
    with tempfile.TemporaryDirectory() as name:
        write_model(Path(name) / "model.onnx")
        places = []
        for target in given.to or OUTPUTS:
            folder, temporary = Path(name) / target, Path(name) / f"{target}_tmp"
            folder.mkdir()
            temporary.mkdir()
            place = Place(target, folder, temporary)
            start = time.monotonic()
            place.run()
            place.seconds, place.whole = time.monotonic() - start, place.made()
            place.foreign = {path.name for path in temporary.iterdir()}
            place.remove()
            places.append(place)
        for index in range(given.kills):
            place = places[index % len(places)]
            after = generator.uniform(0, place.seconds)
            at, problems = killed(place, after)
            wrong += bool(problems)
            told = "; ".join(problems) or "ok"
            print(f"{index:3} {place.target:<7}{after:6.2f} s  {at}: {told}", flush=True)
    print(f"{given.kills} kills, {wrong} with something half-made or left")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
