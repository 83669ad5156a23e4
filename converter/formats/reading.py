"""What goes wrong while a framework reads a file, said in one sentence."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

from converter.errors import EquiportError, MissingFrameworkError, UnreadableModelError

_EXTRAS = {"torch": "torch", "safetensors": "torch", "onnx_ir": "torch"}
_LOGGERS = ("torch", "tensorflow", "absl", "h5py", "keras")


def framework(name: str, what: str) -> ModuleType:
    """Import a framework.

    Args:
        name: the package, e.g. ``torch``.
        what: what needs it, for the message: ``"a TorchScript archive"``.

    Raises:
        MissingFrameworkError: it is not installed, or broken.
    """
    extra = _EXTRAS.get(name.partition(".")[0], "tensorflow")
    hint = f'Install it: pip install "equiport[{extra}]"'
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        raise MissingFrameworkError(
            f"{what} needs {missing.partition('.')[0]}, which is not installed", hint=hint
        ) from error
    except (ImportError, OSError) as error:  # a shared library that is missing or does not fit
        raise MissingFrameworkError(
            f"{what} needs {name}, which is installed but cannot be imported: {one_line(error)}",
            hint=hint,
        ) from error


@contextmanager
def reading(path: Path, what: str, hint: str | None = None) -> Iterator[None]:
    """Turn whatever a framework raises into `UnreadableModelError`, and keep its warnings quiet.

    Args:
        path: the file, for the message.
        what: what it was taken for: ``"a TorchScript archive"``.
    """
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        except (EquiportError, MemoryError):
            raise
        except Exception as error:
            raise UnreadableModelError(
                f"{path} cannot be read as {what}: {one_line(error)}",
                hint=hint or "The file is truncated or damaged, or a newer version wrote it.",
            ) from error
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def one_line(error: BaseException, limit: int = 300) -> str:
    """Return the first line of an exception, with its class where the text alone says little."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    line = lines[0] if lines else ""
    if line.endswith(":") and len(lines) > 1:  # the reason stands below its headline
        line = f"{line} {lines[1]}"
    if line.startswith("Exception encountered when calling") and len(lines) > 1:
        # Keras' headline; layers in layers say it once each.
        said = [text for text in lines if not text.startswith("Exception encountered")]
        line = f"{line.removeprefix('Exception encountered when calling ').rstrip('.')}: {said[0]}"
    line = line if len(line) <= limit else f"{line[:limit]}..."
    if isinstance(error, KeyError) or len(line.split()) < 2:
        return f"{type(error).__name__}: {line}" if line else type(error).__name__
    return line
