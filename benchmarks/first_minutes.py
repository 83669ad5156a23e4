"""From Enter to the verified result: `convert` as it is typed, beside `convert --no-verify`.

``python -m benchmarks.first_minutes``: every twin of the zoo in both directions, and a diffusion
U-Net, each command in a process of its own. ``--against TREE`` runs the same commands with the
packages of another checkout in turns with ours, for a before and an after of one run.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
MOST = 2.0
"""How many times as long as without the verification the whole may take."""


@dataclass
class Timed:
    """One command, its seconds by how it was run.

    Attributes:
        label: ``digits_cnn torch``.
        arguments: of `convert`, without the output.
        seconds: by ``no-verify``, ``verify`` and, of another checkout, ``before``.
    """

    label: str
    arguments: list[str]
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def median(self, how: str) -> float:
        return statistics.median(self.seconds[how])


def commands(folder: Path, only: str) -> Iterator[Timed]:
    """Write the models to a folder; yields the command that converts each."""
    from zoo.exporting import convert_command, default_path, export
    from zoo.registry import TWINS

    for entry in TWINS:
        for framework in entry.frameworks:
            label = f"{entry.name} {framework}"
            if only not in label:
                continue
            suffix = default_path(entry, framework).suffix
            path = export(entry.name, framework, folder / f"{entry.name}_{framework}{suffix}")
            yield Timed(label, shlex.split(convert_command(entry, framework, path))[1:])
    if only in (label := "diffusion_unet torch"):
        import torch

        from benchmarks import diffusion_unet
        from benchmarks.diffusion_unet import INPUTS, build

        # The other checkout need not have it: what builds a model is found in the present folder.
        shutil.copy(diffusion_unet.__file__, folder)
        torch.save(build().state_dict(), folder / "diffusion_unet.pt")
        inputs = [word for text in INPUTS for word in ("--input", text)]
        yield Timed(label, [str(folder / "diffusion_unet.pt"), "--to", "tf",
                            "--model", "diffusion_unet:build", *inputs])  # fmt: skip


def seconds(tree: Path, arguments: list[str], folder: Path) -> float:
    """Run `convert` of a checkout once.

    Raises:
        SystemExit: it fails.
    """
    output = folder / "output"
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "converter.cli", *arguments, "-o", str(output), "-q"],
        env=os.environ | {"PYTHONPATH": str(tree)}, cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    spent = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{shlex.join(arguments)} of {tree}: {done.stderr}")
    shutil.rmtree(output, ignore_errors=True)
    return spent


def main() -> None:
    """Time every command in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", metavar="TREE", type=Path, help="another checkout")
    parser.add_argument("--only", default="", help="part of the name, such as unet or torch")
    parser.add_argument("--repeats", type=int, default=1)
    given = parser.parse_args()
    ways = {"no-verify": (HERE, ["--no-verify"]), "verify": (HERE, [])}
    if given.against is not None:
        ways["before"] = (given.against.resolve(), [])
    heads = "".join(f"{way:>11}" for way in ways)
    print(f"{'':<30}{heads}  verify / no-verify", flush=True)
    over = []
    with tempfile.TemporaryDirectory(prefix="equiport-first-minutes-") as name:
        for timed in commands(Path(name), given.only):
            for _ in range(given.repeats):
                for way, (tree, more) in ways.items():
                    spent = seconds(tree, [*timed.arguments, *more], Path(name))
                    timed.seconds.setdefault(way, []).append(spent)
            ratio = timed.median("verify") / timed.median("no-verify")
            row = "".join(f"{timed.median(way):9.1f} s" for way in ways)
            print(f"{timed.label:<30}{row}  {ratio:.2f}", flush=True)
            if ratio > MOST:
                over.append(timed.label)
    print(f"more than {MOST:g} times as long: {', '.join(over) or 'none'}")


if __name__ == "__main__":
    main()
