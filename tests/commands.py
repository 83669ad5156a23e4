"""Run the commands as a user does, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run(
    module: str,
    *arguments: str | Path,
    folder: Path,
    prelude: str = "",
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``module.main()`` in ``folder``.

    Args:
        module: e.g. ``converter.cli``.
        prelude: Python to run first in that process, to plant a fault or to block an import.
    """
    code = f"import sys\n{prelude}\nfrom {module} import main\nmain()\n"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"COLUMNS": "80", "TERM": "dumb"} | (environment or {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
