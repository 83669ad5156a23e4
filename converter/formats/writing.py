"""What goes wrong while a framework writes a file, said in one sentence."""

from __future__ import annotations

import errno
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from converter.errors import OutputError
from converter.formats.reading import one_line

_DISK = re.compile(
    r"no space left|disk quota|read-only file system|permission denied|input/output error"
    r"|unexpected pos|PytorchStreamWriter|file write failed|Resource(Exhausted| ?temporarily)",
    re.IGNORECASE,
)
"""What C++ code says of a disk: it knows no `OSError`."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn errors of the disk into `OutputError`, and keep the frameworks' warnings quiet.

    Anything else is not the disk's fault and passes.
    """
    loggers = [logging.getLogger(name) for name in ("torch", "tensorflow", "absl", "keras")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise OutputError(
                f"{path} cannot be written: {error.strerror or one_line(error)}",
                hint="Free some space." if full else "Choose another path with -o.",
            ) from error
        except Exception as error:
            if not _DISK.search(str(error)):
                raise
            raise OutputError(
                f"{path} cannot be written: {one_line(error)}",
                hint="Check that there is space and that the folder can be written.",
            ) from error
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
