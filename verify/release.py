"""Which release of Equiport this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """Return the version, or ``"unknown"`` where the package is not installed but only found."""
    try:
        return version("equiport")
    except PackageNotFoundError:
        return "unknown"
