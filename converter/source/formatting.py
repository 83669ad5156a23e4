"""Text as `ruff format` writes it."""

from __future__ import annotations

import subprocess

from converter.errors import DefectError, MissingFrameworkError

LINE_LENGTH = 100
"""Longest line, in characters."""


def formatted(text: str) -> str:
    """Return Python text, formatted.

    Raises:
        MissingFrameworkError: ruff is not installed.
    """
    try:
        from ruff.__main__ import find_ruff_bin
    except ImportError:
        raise MissingFrameworkError(
            "ruff is not installed; the written source is formatted with it",
            hint="Install it: pip install ruff",
        ) from None
    ruff = find_ruff_bin()
    sorted_ = _run([ruff, "check", *_RULES, "--fix", "--quiet", "--exit-zero"], text)
    return _run([ruff, "format"], sorted_)


_RULES = ("--select", "I,F401,UP")
"""Imports in order, none that nothing needs, and the newest way to say a thing."""


def _run(command: list[str], text: str) -> str:
    options = ["--isolated", "--line-length", str(LINE_LENGTH)] if command[1] == "format" else []
    options = options or ["--isolated"]
    done = subprocess.run(
        [*command, *options, "-"], input=text, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DefectError(f"the written source is no Python: {done.stderr}")
    return done.stdout
