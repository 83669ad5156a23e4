"""Build the model that a bare weights file belongs to, with the user's own function."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from converter.errors import UsageError
from converter.formats.reading import one_line

EXAMPLE = "--model package.module:function"


def import_from_here() -> None:
    """Let modules of the present folder be imported, as `python` itself does."""
    if os.getcwd() not in sys.path and "" not in sys.path:
        sys.path.insert(0, os.getcwd())


def needed(path: Path, what: str) -> UsageError:
    """Return the error for a weights file without a factory."""
    return UsageError(
        f"{path} holds {what} and no model",
        hint=f"Say what builds the model: {EXAMPLE} (factory= in Python).",
    )


def check_form(factory: str) -> tuple[str, str]:
    """Take ``package.module:function`` apart.

    Raises:
        UsageError: the text is not of that form.
    """
    module_name, colon, attribute = factory.partition(":")
    if not colon or not module_name or not attribute:
        raise UsageError(f"cannot read the factory {factory!r}", hint=f"Write it as {EXAMPLE}.")
    return module_name, attribute


def find(factory: str) -> Callable[[], Any]:
    """Import ``package.module:function``; the current folder is searched first, and stays searched.

    Raises:
        UsageError: the text is not of that form, or there is no such module or function.
    """
    module_name, attribute = check_form(factory)
    import_from_here()
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and not f"{module_name}.".startswith(f"{error.name}."):
            raise UsageError(
                f"the factory's module {module_name!r} imports {error.name!r}, "
                "which is not installed",
                hint="Install it, or name another factory.",
            ) from error
        raise UsageError(
            f"the factory's module {module_name!r} was not found",
            hint="Run in the folder that holds it, or install it.",
        ) from error
    except Exception as error:
        raise UsageError(
            f"the factory's module {module_name!r} cannot be imported: "
            f"{type(error).__name__}: {one_line(error)}"
        ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise UsageError(
                f"the module {module_name!r} has no {attribute!r}",
                hint=_candidates(module_name, found),
            )
        found = getattr(found, part)
    if not callable(found):
        raise UsageError(
            f"{factory} is a {type(found).__name__}, not a function that builds a model"
        )
    return found


def _candidates(name: str, module: Any) -> str:
    own = [
        key
        for key, value in vars(module).items()
        if callable(value) and not key.startswith("_") and getattr(value, "__module__", "") == name
    ]
    return f"It has: {', '.join(own)}." if own else "It defines no function."


def build(factory: str, expected: type | tuple[type, ...], what: str) -> Any:
    """Call the factory.

    Args:
        expected: what it must return.
        what: its name for the message, e.g. ``"an nn.Module"``.

    Raises:
        UsageError: it raises, or returns something else.
    """
    function = find(factory)
    try:
        model = function()
    except Exception as error:
        raise UsageError(
            f"the factory {factory} raised {type(error).__name__}: {one_line(error)}",
            hint="It is called without arguments.",
        ) from error
    if not isinstance(model, expected):
        raise UsageError(
            f"the factory {factory} returned a {type(model).__name__}, not {what}",
            hint=f"The weights file needs {what}.",
        )
    return model


def listed(names: Iterable[str], limit: int = 8) -> str:
    """Return names in a line, the first few of many."""
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
