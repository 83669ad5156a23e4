"""Build the model that a bare weights file belongs to, with the user's own function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from converter.errors import UsageError
from converter.formats.reading import one_line
from converter.formats.user_code import attribute_of, module_of, taken_apart

EXAMPLE = "--model package.module:function"


def needed(path: Path, what: str) -> UsageError:
    """Return the error for a weights file without a factory."""
    return UsageError(
        f"{path} holds {what} and no model",
        hint=f"Say what builds the model: {EXAMPLE} (factory= in Python).",
    )


def check_form(factory: str) -> tuple[str, str]:
    """Take ``package.module:function`` or ``file.py:function`` apart.

    Raises:
        UsageError: the text is not of that form.
    """
    place, attribute = taken_apart(factory)
    if not place or not attribute:
        raise UsageError(
            f"cannot read the factory {factory!r}",
            hint=f"Write it as {EXAMPLE} or model.py:function.",
        )
    return place, attribute


def find(factory: str) -> Callable[[], Any]:
    """Import ``package.module:function`` or ``file.py:function``.

    Raises:
        UsageError: the text is not of that form, or there is no such module or function.
    """
    place, attribute = check_form(factory)
    found = attribute_of(module_of(place, "the factory's module"), attribute, place)
    if not callable(found):
        raise UsageError(
            f"{factory} is a {type(found).__name__}, not a function that builds a model"
        )
    return found  # type: ignore[no-any-return]


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
