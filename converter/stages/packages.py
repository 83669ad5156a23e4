"""What another interpreter sees of this installation: our own packages, and nothing beside them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

NAMES = ("converter", "verify")


def packages_alone(folder: Path) -> Path:
    """Return a folder in which another interpreter finds our packages and nothing else.

    Where ours are installed, everything else of this interpreter lies beside them.

    Args:
        folder: where to make it.
    """
    place = folder / "packages"
    root = Path(__file__).resolve().parents[2]
    try:
        place.mkdir(exist_ok=True)
        for name in NAMES:
            link = place / name
            if not link.is_symlink() and (root / name).is_dir():
                link.symlink_to(root / name, target_is_directory=True)
    except OSError:  # a system without symbolic links
        return root
    return place


def environment(folder: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a process that runs our code in another interpreter.

    Args:
        folder: as for `packages_alone`.
        given: what to start from; this process's own environment by default.
    """
    result = dict(os.environ if given is None else given)
    search = [str(packages_alone(folder)), result.get("PYTHONPATH", "")]
    result["PYTHONPATH"] = os.pathsep.join(filter(None, search))
    result["PYTHONIOENCODING"] = "utf-8"
    result["EQUIPORT_PARENT"] = str(os.getpid())
    result.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return result
