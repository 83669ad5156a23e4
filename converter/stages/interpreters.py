"""Whether what was named as an interpreter is one."""

from __future__ import annotations

import subprocess

from converter.errors import UsageError

WORD = "equiport"
PATIENCE = 20.0
"""Seconds for an interpreter to answer."""


def check_interpreter(python: str) -> None:
    """Refuse what is no Python interpreter.

    Raises:
        UsageError: it cannot be started, or does not answer as Python does.
    """
    hint = "Give the path of a Python interpreter, such as the bin/python of an environment."
    try:
        done = subprocess.run(
            [python, "-S", "-c", f"print({WORD!r})"], stdin=subprocess.DEVNULL, capture_output=True,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UsageError(f"{python} does not answer as Python does", hint=hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"the interpreter {python} cannot be started: {reason}", hint=hint
        ) from error
    if done.stdout.split() != [WORD.encode()]:
        raise UsageError(f"{python} does not answer as Python does", hint=hint)
