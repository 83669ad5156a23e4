"""What goes wrong while a framework writes a file, said in one sentence."""

from __future__ import annotations

import errno
import io
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from converter.errors import OutputError
from converter.formats.reading import one_line

_DISK = re.compile(
    r"no space left|disk quota|read-only file system|permission denied|input/output error"
    r"|not a directory|file too large|unexpected pos|PytorchStreamWriter|file write failed",
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


class Remembering(io.RawIOBase):
    """A file for writers in C++ that abort the process when a write fails.

    It takes everything; `close` raises the first error that there was.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("wb")
        self._error: OSError | None = None

    def writable(self) -> bool:
        """Return that it is."""
        return True

    def seekable(self) -> bool:
        """Return that it is, as far as its user asks for: to the start, after the end."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Do nothing: writers go to the start when they are through."""
        return 0

    def write(self, data: Any) -> int:
        """Write, or remember why not."""
        if self._error is None:
            try:
                self._file.write(data)
            except OSError as error:
                self._error = error
        return len(data)

    def close(self) -> None:
        """Close the file.

        Raises:
            OSError: something was not written.
        """
        if self.closed:
            return
        super().close()
        try:
            self._file.close()
        except OSError as error:
            self._error = self._error or error
        if self._error is not None:
            raise self._error
