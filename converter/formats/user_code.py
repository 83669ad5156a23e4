"""Import what a user names: ``package.module:function`` or ``file.py:function``."""

from __future__ import annotations

import importlib.util
import os
import sys
import traceback
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from converter.errors import UsageError
from converter.formats.reading import one_line
from converter.naming import free


def import_from_here() -> None:
    """Let modules of the present folder be imported, as `python` itself does."""
    _search(os.getcwd())


def taken_apart(text: str) -> tuple[str, str]:
    """Return the module or file and the name in it; either is empty where it is not given."""
    place, colon, name = text.rpartition(":")
    return (place, name) if colon else (text, "")


def module_of(place: str, what: str) -> ModuleType:
    """Import a module by its dotted name, or a file that ends in ``.py``.

    The present folder, or the file's, is searched first, and stays searched.

    Args:
        what: what the module is for, for the message, e.g. ``"the factory's module"``.

    Raises:
        UsageError: there is no such module or file, or it cannot be imported.
    """
    if place.endswith(".py"):
        return _from_file(Path(place), what)
    import_from_here()
    try:
        return import_module(place)
    except ModuleNotFoundError as error:
        if error.name and not f"{place}.".startswith(f"{error.name}."):
            raise _lacks(f"{what} {place!r}", error) from error
        raise UsageError(
            f"{what} {place!r} was not found",
            hint="Run in the folder that holds it, install it, or name its file: file.py:function.",
        ) from error
    except Exception as error:
        raise UsageError(
            f"{what} {place!r} cannot be imported: {type(error).__name__}: {one_line(error)}"
        ) from error


def attribute_of(module: ModuleType, name: str, place: str) -> Any:
    """Return what ``name`` (dots allowed) is in a module that was imported from ``place``.

    Raises:
        UsageError: there is no such thing.
    """
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise UsageError(
                f"the module {place!r} has no {name!r}", hint=_candidates(module.__name__, found)
            )
        found = getattr(found, part)
    return found


def raised(name: str, error: Exception) -> UsageError:
    """Say what the user's code raised, and in which of its lines."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    own = [frame for frame in own if not frame.filename.startswith((*_OURS, "<frozen"))]
    line = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else None
    if isinstance(error, SyntaxError) and error.filename:
        line = f"{Path(error.filename).name}:{error.lineno}"
    text = str(error).strip().splitlines()
    said = f"{type(error).__name__}: {text[0][:200]}" if text else type(error).__name__
    return UsageError(f"{name} raised {said}", source_line=line)


_OURS = [str(Path(__file__).parents[2] / package) for package in ("converter", "verify")]


def _from_file(path: Path, what: str) -> ModuleType:
    if not path.is_file():
        raise UsageError(
            f"{what}: the file {path} does not exist",
            hint="Give file.py:function or package.module:function.",
        )
    known = [
        module for module in list(sys.modules.values())
        if (file := getattr(module, "__file__", None)) and Path(file).absolute() == path.absolute()
    ]  # fmt: skip
    if known:
        return known[0]
    _search_first(path.absolute().parent)
    # Two sides may bring a model.py each.
    spec = importlib.util.spec_from_file_location(free(path.stem, sys.modules), path)
    assert spec is not None
    assert spec.loader is not None
    # What a file does while it is run may look its own module up: a dataclass does.
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[spec.name]
        if isinstance(error, ModuleNotFoundError) and error.name:
            raise _lacks(f"{what} {path}", error) from error
        raise raised(str(path), error) from error
    return module


def _lacks(module: str, error: ModuleNotFoundError) -> UsageError:
    return UsageError(
        f"{module} imports {error.name!r}, which is not installed",
        hint="Install it, or name another one.",
    )


def _search(folder: str) -> None:
    if folder not in sys.path and not (folder == os.getcwd() and "" in sys.path):
        sys.path.insert(0, folder)


_FOLDERS: set[Path] = set()
"""Folders of files that were imported."""


def _search_first(folder: Path) -> None:
    """Search a folder before all others, and forget what other files' folders call the same."""
    for name, module in list(sys.modules.items()):
        home, place = _home(module), folder / name
        if home in _FOLDERS - {folder} and (place.with_suffix(".py").is_file() or place.is_dir()):
            for own in [key for key in sys.modules if f"{key}.".startswith(f"{name}.")]:
                del sys.modules[own]
    _FOLDERS.add(folder)
    sys.path[:] = [str(folder), *(entry for entry in sys.path if entry != str(folder))]


def _home(module: ModuleType) -> Path | None:
    """Return the folder in which a module or package of the first level lies."""
    file = getattr(module, "__file__", None)
    if not file or "." in module.__name__:
        return None
    place = Path(file).absolute().parent
    return place.parent if hasattr(module, "__path__") else place


def _candidates(name: str, module: Any) -> str:
    own = [
        key
        for key, value in vars(module).items()
        if callable(value) and not key.startswith("_") and getattr(value, "__module__", "") == name
    ]
    return f"It has: {', '.join(own)}." if own else "It defines no function."
