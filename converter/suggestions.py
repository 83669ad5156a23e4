"""Names that were probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


def suggestion(given: str, known: Iterable[str]) -> str | None:
    """Return ``Did you mean 'budget'?`` where a known name is near, else ``None``."""
    close = get_close_matches(given, list(known), n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}?" if close else None


def neighbour(path: Path) -> str | None:
    """Suggest a path that exists for one that does not.

    The ending may be missing or another, or a folder or the name may have a letter wrong.
    """
    folder = path.parent
    if not folder.is_dir():
        return neighbour(folder) if folder != folder.parent else None
    names = sorted(item.name for item in folder.iterdir() if not item.name.startswith("."))
    same_stem = [name for name in names if Path(name).stem == path.stem or name == path.stem]
    begins = [name for name in names if path.name and name.startswith(f"{path.name}.")]
    lower = {name.lower(): name for name in reversed(names)}
    close = get_close_matches(path.name.lower(), lower, n=1, cutoff=0.75)
    found = [*same_stem, *begins, *(lower[name] for name in close)]
    return f"Did you mean {str(folder / found[0])!r}?" if found else None
