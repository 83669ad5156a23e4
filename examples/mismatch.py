"""From a mismatch to the repaired line: the worked example of docs/verification.md.

A Keras classifier has been ported to PyTorch by hand, and one line of the port is wrong
(``ported/port.py``). This saves both, runs the ``verify`` command as a user would, repairs the
line in a copy, and runs it again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

HERE = Path(__file__).resolve().parent / "ported"
WRONG = "nn.AvgPool2d(3, stride=1, padding=1)"
RIGHT = "nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)"

SAVE_ORIGINAL = """
import numpy as np
from original import original
model = original()
model.save("original.keras")
np.savez("weights.npz", **{weight.path: weight.numpy() for weight in model.weights})
"""

SAVE_PORT = """
import numpy as np, torch
from port import port
model = port(np.load("weights.npz"))
batch = torch.export.Dim("batch")
program = torch.export.export(model, (torch.randn(2, 32, 32, 3),), dynamic_shapes=({0: batch},))
torch.export.save(program, "port.pt2")
"""

FIRST_LOOK = """
import keras, numpy as np, torch
images = np.random.default_rng(0).normal(size=(500, 32, 32, 3)).astype(np.float32)
a = torch.export.load("port.pt2").module()(torch.from_numpy(images)).detach().numpy()
b = keras.models.load_model("original.keras")(images).numpy()
print(f"largest difference {abs(a - b).max():.1e}, largest logit {abs(b).max():.2f}; "
      f"the same class for {(a.argmax(1) == b.argmax(1)).mean():.1%} of 500 images")
"""


def python(code: str, folder: Path) -> None:
    """Run some lines of Python in the folder."""
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)


def verify(folder: Path, *options: str) -> int:
    """Run the command in the folder, showing it first; return its exit code."""
    command = ["verify", "port.pt2", "original.keras", *options]
    print(f"\n$ {' '.join(command)}", flush=True)
    here = Path(sys.executable).with_name("verify")
    return subprocess.run([str(here), *command[1:]], cwd=folder, check=False).returncode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("mismatch-out"))
    folder: Path = parser.parse_args().output
    if folder.exists():
        sys.exit(f"{folder} exists already; remove it, or name another folder with --output")
    folder.mkdir(parents=True)
    for name in ("original.py", "port.py"):
        (folder / name).write_text((HERE / name).read_text())

    python(SAVE_ORIGINAL, folder)
    python(SAVE_PORT, folder)
    python(FIRST_LOOK, folder)
    code = verify(folder, "--html", "report.html", "--sarif", "report.sarif")
    if code != 1 or not (folder / "report.html").exists():
        sys.exit(f"verify ended with {code}; the port is wrong, so 1 and a report were expected")

    wrong = (folder / "port.py").read_text()
    if wrong.count(WRONG) != 1:
        sys.exit(f"the wrong line is not in port.py once: {WRONG}")
    (folder / "port.py").write_text(wrong.replace(WRONG, RIGHT))
    print(f"\nIn port.py, {WRONG}\n  becomes   {RIGHT}")
    python(SAVE_PORT, folder)
    sys.exit(verify(folder, "--lock", "equiport.lock.json"))


if __name__ == "__main__":
    main()
