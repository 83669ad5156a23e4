"""From a mismatch to the repaired line: the worked example of docs/verification.md.

A Keras classifier has been ported to PyTorch by hand, and one line of the port is wrong
(``mismatch/port.py``). This saves both, runs the ``verify`` command as a user would, repairs the
line in a copy, and runs it again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

HERE = Path(__file__).resolve().parent / "mismatch"
WRONG = "self.norm2 = nn.LayerNorm(WIDTH)\n"
RIGHT = "self.norm2 = nn.LayerNorm(WIDTH, eps=1e-3)\n"

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
tokens = torch.randint(0, 200, (2, 16), dtype=torch.int32)
batch = torch.export.Dim("batch")
torch.export.save(torch.export.export(model, (tokens,), dynamic_shapes=({0: batch},)), "port.pt2")
"""

FIXED_TOLERANCE = """
import keras, numpy as np, torch
tokens = np.random.default_rng(0).integers(0, 200, (64, 16)).astype(np.int32)
a = keras.models.load_model("original.keras")(tokens).numpy()
b = torch.export.load("port.pt2").module()(torch.from_numpy(tokens)).detach().numpy()
print(f"largest difference {abs(a - b).max():.1e};",
      "np.allclose(atol=1e-3):", np.allclose(a, b, atol=1e-3))
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
    python(FIXED_TOLERANCE, folder)
    code = verify(folder, "--html", "report.html", "--sarif", "report.sarif")
    if code != 1 or not (folder / "report.html").exists():
        sys.exit(f"verify ended with {code}; the port is wrong, so 1 and a report were expected")

    wrong = (folder / "port.py").read_text()
    if wrong.count(WRONG) != 1:
        sys.exit(f"the wrong line is not in port.py once: {WRONG.strip()}")
    (folder / "port.py").write_text(wrong.replace(WRONG, RIGHT))
    print(f"\nIn port.py, {WRONG.strip()}\n  becomes   {RIGHT.strip()}")
    python(SAVE_PORT, folder)
    sys.exit(verify(folder, "--lock", "equiport.lock.json"))


if __name__ == "__main__":
    main()
